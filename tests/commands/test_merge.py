import json
import os

import pytest

from darbench.store import ledger
from tests.make.folders import append


@pytest.fixture
def boards(tmp_path):
    """Two machines' leaderboards of one sweep, which differ in one trial's numbers."""
    for name, row_hash, minutes in (("here", "h1", 0), ("there", "h2", 9)):
        folder = tmp_path / name / "mine"
        append(folder, "a-0", minutes, row_hash=row_hash)
        append(folder, f"{name}-1", minutes + 1, row_hash="h3")
        (folder / "samples").mkdir()
        (folder / "samples" / f"{name}-1.png").write_text("a picture")
        (folder / "samples" / "a-0.png").write_text(name)
    return tmp_path


def test_leaderboards_become_one_and_conflicts_are_listed(run, boards):
    code, out, err = run("merge", "here/mine", "there/mine", "--to", "all")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "leaderboards/all: 4 rows, 4 of them and 3 files new",
        "1 steps with different numbers; the last attempt's stand:",
        "  a-0, a, seed 0, step 5: h1, h2",
        "next: darbench board --space all",
    ]
    assert len(ledger.read_ledger(boards / "leaderboards" / "all" / "ledger")) == 4
    samples = boards / "leaderboards" / "all" / "samples"
    assert {path.name for path in samples.iterdir()} == {"a-0.png", "here-1.png", "there-1.png"}
    again = json.loads(run("merge", "there/mine", "here/mine", "--to", "all", "--json")[1])
    assert (again["new"], again["files"], len(again["conflicts"])) == (0, 0, 1)
    run("merge", "there/mine", "here/mine", "--to", "other")
    other = boards / "leaderboards" / "other" / "samples" / "a-0.png"
    assert other.read_text() == (samples / "a-0.png").read_text()


def test_without_conflicts_it_is_a_success(run, boards):
    code, out, _ = run("merge", "here/mine", "--to", "all")
    assert code == 0 and "different" not in out
    assert run("merge", "all", "--to", "all")[0] == 0


def test_no_file_is_taken_by_a_link(run, boards):
    (boards / "secret.png").write_text("secret")
    os.symlink(boards / "secret.png", boards / "here" / "mine" / "samples" / "link.png")
    run("merge", "here/mine", "--to", "all")
    assert not (boards / "leaderboards" / "all" / "samples" / "link.png").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere/mine", "--to", "all"], "nowhere/mine: no sweep has written there"),
        (["here/mine", "--to", "../all"], "--to ../all: the name of a leaderboard in"),
        (["mien", "--to", "all"], "no sweep has written to leaderboards"),
    ],
)
def test_what_is_no_leaderboard_is_one_line(run, boards, words, says):
    code, out, err = run("merge", *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and says in err


def test_a_leaderboard_that_a_sweep_writes_to_is_not_merged_into(run, boards):
    with ledger.lock(boards / "leaderboards" / "all", "darbench sweep --space mine"):
        code, out, err = run("merge", "here/mine", "--to", "all")
    assert (code, out) == (2, "") and "(darbench sweep --space mine)" in err
