"""`darbench export` and `darbench import`, there and back."""

import json
import zipfile

import pytest

from darbench.records.canonical import canonical_json
from darbench.store import declared, ledger
from darbench.store.declared import Declared
from tests.make.folders import append


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "leaderboards" / "mine"
    for seed in (0, 1):
        append(folder, f"a-{seed}", seed, row_hash=f"h{seed}")
    declared.write(folder, Declared(command="darbench sweep --space mine", seeds={"a": [0, 1]}))
    (folder / "samples").mkdir()
    (folder / "samples" / "a-0.png").write_bytes(b"picture")
    return folder


def lines(folder):
    return {line for line, _ in ledger.read_lines(folder / "ledger")}


def test_there_and_back(run, mine, tmp_path):
    code, out, err = run("export", "mine", "--to", "mine.zip", "--samples")
    assert (code, err) == (0, "")
    assert out.startswith("mine.zip: ") and "with 1 pictures" in out
    assert out.endswith("next, where it is to be read: darbench import mine.zip\n")
    code, out, err = run("import", "mine.zip", "--out", "other")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "other/mine: 2 rows, 2 of them and 1 files new",
        "next: darbench board --space mine --out other",
    ]
    other = tmp_path / "other" / "mine"
    assert lines(other) == lines(mine) and declared.read(other) == declared.read(mine)
    assert (other / "samples" / "a-0.png").read_bytes() == b"picture"
    made = json.loads(run("import", "mine.zip", "--json")[1])
    assert (made["rows"], made["new"], made["files"]) == (2, 0, 0)


def test_one_that_is_there_is_united_with_it(run, mine, tmp_path):
    run("export", "mine", "--to", "mine.zip")
    there = tmp_path / "other" / "mine"
    append(there, "a-0", 5, row_hash="another")
    append(there, "b-0", 6, row_hash="h3")
    code, out, _ = run("import", "mine.zip", "--out", "other")
    assert code == 1 and "1 steps with different numbers" in out
    assert lines(there) > lines(mine) and len(lines(there)) == 4


def test_what_is_refused_leaves_nothing(run, mine, tmp_path):
    run("export", "mine", "--to", "mine.zip")
    with zipfile.ZipFile("mine.zip", "a") as archive:
        archive.writestr("../evil.png", "x")
    code, out, err = run("import", "mine.zip", "--out", "other")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mine.zip: holds '../evil.png'" in err and "Traceback" not in err
    assert not (tmp_path / "other").exists() and not (tmp_path / "evil.png").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mien", "--to", "x.zip"], "did you mean mine?"),
        (["mine", "--to", "no/folder/x.zip"], "cannot write no/folder/x.zip"),
        (["mine", "--to", "leaderboards"], "cannot write leaderboards"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run, mine, words, says):
    code, out, err = run("export", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and says in err


def test_it_is_small(run, tmp_path):
    """155 trials of five checkpoints, with texts as long as real ones and numbers as random."""
    import hashlib

    protocol, folder = "p" * 900, tmp_path / "leaderboards" / "large"
    for trial in range(155):
        config = f"c{trial // 5}"
        for step in range(5):
            random = hashlib.sha256(f"{trial} {step}".encode()).hexdigest()
            numbers = {name: int(random[i : i + 12], 16) / 2**48 for i, name in enumerate(NUMBERS)}
            append(
                folder,
                f"{config}-{trial % 5}",
                step,
                step=step,
                row_hash=random[:16],
                protocol_json=protocol,
                config_json=canonical_json({"params": config, "text": "t" * 700}),
                **numbers,
            )
    run("export", "large", "--to", "large.zip")
    assert (tmp_path / "large.zip").stat().st_size < 400_000


NUMBERS = ("val_loss", "fd", "kid", "recall", "train_loss", "train_seconds", "eval_seconds")
