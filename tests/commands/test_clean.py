import json

import pytest

from darbench import cache
from darbench.store import ledger
from tests.make.folders import killed_holding, ledger_row, save_states


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A leaderboard with states of a finished trial and of one that was cut off, and a cache."""
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-00112233445566778899aabbccddeeff.json").write_text("x" * 70)
    (tmp_path / "cache" / "mine.json").write_text("kept")
    folder = tmp_path / "leaderboards" / "mine"
    ledger.append(folder / "ledger" / "a.jsonl", ledger_row("t0"))
    for trial in ("t0", "t1"):
        save_states(folder, trial)
    (folder / "workers").mkdir()
    killed_holding(folder / "workers" / "w.json")
    return folder


def states(board) -> set[str]:
    return {path.name for path in (board / "states").glob("*")}


def test_it_removes_what_nobody_needs_and_says_how_much_that_was(run, board):
    size = sum(path.stat().st_size for path in (board / "states" / "t0").iterdir())
    code, out, err = run("clean", "--json", "--dry-run")
    freed = json.loads(out)["freed"]
    assert (code, err) == (0, "") and freed["states of finished trials"] == size
    assert states(board) == {"t0", "t1"}
    code, out, _ = run("clean")
    assert code == 0 and out.splitlines() == [
        f"freed {size} B of states of finished trials",
        "freed 4.1 kB of files of killed processes",
    ]
    assert states(board) == {"t1"} and not list((board / "workers").glob("*"))
    assert len(ledger.read_ledger(board / "ledger")) == 1
    assert run("clean")[1] == "nothing to remove\n"


def test_what_can_be_made_again_is_removed_if_asked(run, board):
    out = run("clean", "mine", "--states", "--cache")[1]
    assert "of states of unfinished trials" in out and "freed 70 B of cache" in out
    assert states(board) == set()
    assert [path.name for path in cache.folder().iterdir()] == ["mine.json"]


def test_nothing_is_removed_while_something_runs(run, board):
    with ledger.lock(board, "darbench sweep --space mine"):
        code, out, err = run("clean")
    assert (code, out) == (2, "") and "(darbench sweep --space mine); wait for it" in err
    assert states(board) == {"t0", "t1"}
