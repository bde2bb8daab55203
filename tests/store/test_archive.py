"""What `pack` makes: the same bytes of the same rows, no folder of this machine, no weights."""

import zipfile

from darbench.store import declared, ledger
from darbench.store.archive import pack
from darbench.store.declared import Declared
from darbench.store.unpacked import unpack
from tests.make.folders import append


def made(folder, trials=("a-0", "a-1", "b-0"), **more):
    for minutes, trial in enumerate(trials):
        append(folder, trial, minutes, row_hash=f"h{minutes}", **more)
    declared.write(folder, Declared(command="darbench sweep", seeds={"a": [1, 0]}))
    return folder


def test_the_same_rows_make_the_same_bytes(tmp_path):
    one, two = made(tmp_path / "one"), made(tmp_path / "two")
    lines = (two / "ledger" / "w.jsonl").read_text().splitlines(keepends=True)
    (two / "ledger" / "w.jsonl").write_text("".join(lines[:1:-1]))
    (two / "ledger" / "other.jsonl").write_text("".join(lines[:2]))
    for name, folder in (("1.zip", one), ("2.zip", two)):
        pack(folder, tmp_path / name, "mine")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    unpack(tmp_path / "1.zip", tmp_path / "three")
    pack(tmp_path / "three", tmp_path / "3.zip", "mine")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "3.zip").read_bytes()


def test_it_holds_rows_declarations_and_the_pictures_that_are_wanted(tmp_path):
    folder = made(tmp_path / "one")
    (folder / "samples").mkdir()
    (folder / "samples" / "a-0.png").write_bytes(b"picture")
    (folder / "samples" / "link.png").symlink_to(folder / "declared.json")
    (folder / "weights").mkdir()
    (folder / "weights" / "a-0-5.safetensors").write_bytes(b"large")
    pack(folder, tmp_path / "1.zip", "mine")
    names = zipfile.ZipFile(tmp_path / "1.zip").namelist()
    assert names == ["manifest.json", "declared.json", "ledger/merged.jsonl"]
    pack(folder, tmp_path / "1.zip", "mine", samples=True)
    assert zipfile.ZipFile(tmp_path / "1.zip").namelist() == [*names, "samples/a-0.png"]
    assert unpack(tmp_path / "1.zip", tmp_path / "two") == "mine"
    assert (tmp_path / "two" / "samples" / "a-0.png").read_bytes() == b"picture"
    assert declared.read(tmp_path / "two") == Declared(
        command="darbench sweep", seeds={"a": [0, 1]}
    )


def test_an_error_of_older_rows_names_no_folder(tmp_path):
    made(tmp_path / "one", error="cannot find /home/somebody/secret/x.pt", status="crashed")
    pack(tmp_path / "one", tmp_path / "1.zip", "mine")
    unpack(tmp_path / "1.zip", tmp_path / "two")
    rows = ledger.read_ledger(tmp_path / "two" / "ledger")
    assert {row["error"] for row in rows} == {"cannot find x.pt"} and len(rows) == 3
    text = (tmp_path / "two" / "ledger" / "merged.jsonl").read_text()
    assert "somebody" not in text
