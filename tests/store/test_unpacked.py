"""Archives that somebody made to do harm, or that were damaged on their way."""

import json
import shutil
import stat
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darbench.errors import BadInput
from darbench.store import declared, unpacked
from darbench.store.archive import LEDGER, Stored, pack
from darbench.store.declared import Declared
from darbench.store.unpacked import unpack
from tests.make.folders import append


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    append(folder / "mine", "a-0", row_hash="h0")
    declared.write(folder / "mine", Declared())
    pack(folder / "mine", folder / "mine.zip", "mine")
    return folder / "mine.zip"


@pytest.fixture
def forge(sound_file, tmp_path):
    """Write the archive again with other files, (entry or name, content), and another manifest."""

    def written(*more, manifest=lambda said: said, leave=()) -> Path:
        with zipfile.ZipFile(sound_file) as archive:
            files = {name: archive.read(name) for name in archive.namelist() if name not in leave}
        said = json.loads(files.pop("manifest.json"))
        for entry, content in more:
            name = getattr(entry, "filename", entry)
            said["files"][name] = vars(Stored.of(content))
            files.pop(name, None)
        with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", json.dumps(manifest(said)))
            with warnings.catch_warnings(action="ignore"):  # zipfile warns of equal names
                for entry, content in (*files.items(), *more):
                    archive.writestr(entry, content)
        return tmp_path / "bad.zip"

    return written


def refused(path: Path, says: str) -> None:
    """The archive is refused, and nothing stands anywhere but in the folder aside."""
    around = {*path.parent.rglob("*")}
    with tempfile.TemporaryDirectory() as aside:
        with pytest.raises(BadInput, match=says) as error:
            unpack(path, Path(aside) / "in" / "folder")
        assert "\n" not in str(error.value) and aside not in str(error.value)
        assert {each.name for each in Path(aside).iterdir()} <= {"in"}
    assert {*path.parent.rglob("*")} == around


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "samples/../../evil.png",
        "/tmp/evil.png",
        "samples\\..\\evil.png",
        "samples/a.png/x",
        "samples/.hidden.png",
        "ledger/other.jsonl",
        "weights/a-0.pt",
        "samples/",
        "C:evil",
        "samples/a.png\n",
    ],
)
def test_a_name_that_is_no_file_of_a_leaderboard(forge, name):
    refused(forge((name, b"x")), "which is no file of a leaderboard")


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO]
)
def test_what_is_no_plain_file(forge, kind):
    refused(forge((entry("samples/a.png", kind | 0o777), b"/etc/passwd")), "is a link, a folder")


def test_one_name_twice(forge):
    twice = [("samples/a.png", b"x"), ("samples/a.png", b"x")]
    refused(forge(*twice), "holds samples/a.png twice")
    refused(forge(("manifest.json", b"{}")), "holds manifest.json twice")


def change(name, **values):
    def changed(said):
        said["files"][name] |= values
        return said

    return changed


def test_a_bomb_is_stopped_where_its_manifest_ends(forge):
    bomb = [("samples/a.png", bytes(200_000_000))]
    path = forge(*bomb, manifest=change("samples/a.png", bytes=1000))
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    refused(path, "has not the 1000 bytes")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_bomb_that_says_what_it_is(forge, monkeypatch):
    path = forge(("samples/a.png", bytes(200_000)))
    monkeypatch.setattr(unpacked, "MOST", 100_000)
    refused(path, "would take more than 100000 bytes")
    monkeypatch.setattr(unpacked, "MOST", 100)
    refused(path, "larger than 100 bytes")
    monkeypatch.setattr(unpacked, "MOST", 2**31)
    monkeypatch.setattr(unpacked, "MOST_MANIFEST", 10)
    refused(path, r"manifest.json is larger than 10 bytes")


def without(said, name):
    del said["files"][name]
    return said


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (change(LEDGER, sha256="0" * 64), "has not the hash"),
        (change(LEDGER, bytes=7), "has not the 7 bytes"),
        (change(LEDGER, bytes=-1), "has a name, size or hash"),
        (change(LEDGER, bytes=10**400), "would take more than"),
        (change(LEDGER, bytes=True), "has a name, size or hash"),
        (change(LEDGER, other=1), "is none of"),
        (lambda said: without(said, LEDGER), "in the archive or in its manifest"),
        (lambda said: said | {"name": "../up"}, "has a name, size or hash"),
        (lambda said: said | {"name": ".."}, "has a name, size or hash"),
        (lambda said: said | {"darbench": 2}, "is of format 2, this darbench reads 1"),
        (lambda said: [], "is none of"),
        (lambda said: said | {"files": 3}, "is none of"),
    ],
)
def test_a_manifest_that_does_not_fit(forge, manifest, says):
    refused(forge(manifest=manifest), says)


def test_what_is_missing(forge, tmp_path):
    refused(forge(leave=(LEDGER,), manifest=lambda said: without(said, LEDGER)), f"no {LEDGER}")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    refused(tmp_path / "empty.zip", r"has no manifest.json")
    refused(tmp_path / "nowhere.zip", "no such file")
    (tmp_path / "text.zip").write_text("no archive")
    refused(tmp_path / "text.zip", "no whole archive")
    refused(tmp_path, "no whole archive")


@pytest.mark.parametrize("how", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_packers_that_export_does_not_use(forge, how):
    """A header of LZMA alone can ask for 4 GB of memory."""
    made = entry("samples/a.png", stat.S_IFREG)
    path = forge((made, b"x"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry("samples/b.png", stat.S_IFREG), b"x", how)
    refused(path, "packed in a way")


@pytest.mark.parametrize("content", [b"{}\n", b"[" * 100_000 + b"\n", b"\xff\n", b"7\n"])
def test_a_ledger_that_is_none(forge, content):
    refused(forge((LEDGER, content)), r"ledger/merged.jsonl:1: not a ledger row")


def test_values_of_other_kinds(forge):
    refused(forge(("declared.json", b'{"seeds": 3}')), r"declared.json is none of")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_says_the_same(sound_file, data):
    whole = bytearray(sound_file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "bad.zip").write_bytes(whole[: cut or len(whole)])
        try:
            name = unpack(folder / "bad.zip", folder / "in")
        except BadInput as error:
            assert "\n" not in str(error)
        else:
            unpack(sound_file, folder / "sound")
            assert name == "mine"
            for part in (LEDGER, "declared.json"):
                same = (folder / "sound" / part).read_bytes()
                assert (folder / "in" / part).read_bytes() == same
    finally:
        shutil.rmtree(folder)
