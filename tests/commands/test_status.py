"""`darbench status`, of leaderboards that were made up, while others hold them."""

import json
import re
import subprocess
import sys

import pytest

from darbench.cli.operation import size, span
from darbench.store import ledger
from darbench.store.at_work import working_on
from darbench.store.declared import Declared, write
from darbench.store.logs import Log, log_file
from tests.make.folders import append


@pytest.fixture
def board(tmp_path):
    """A leaderboard in ./leaderboards, with one trial that is done and one that crashed."""
    folder = tmp_path / "leaderboards" / "mine"
    append(folder, "a-0")
    append(folder, "b-1", 5, status="crashed", error="no luck")
    Log(log_file(folder, "b-1")).say("first\nsecond\nthird\nthe end")
    write(folder, Declared(seeds={"a": [0, 1, 2], "b": [1]}))
    return folder


def test_it_says_how_a_leaderboard_stands_while_nothing_runs(run, board):
    code, out, err = run("status", "mine")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "leaderboards/mine"
    assert lines[1:3] == [
        "  nothing runs here now; last row 2031-05-01 10:05 UTC",
        "  trials: 1 ok, 1 crashed, 2 left",
    ]
    assert lines[3:7] == [
        "  crashed: b, seed 1, 2031-05-01 10:05 UTC: no luck; darbench logs b-1",
        "    | second",
        "    | third",
        "    | the end",
    ]
    assert re.fullmatch(r"  disk: .* ledger, .* logs, .* other; cache .*", lines[7])


def test_it_says_who_works_on_what_and_how_long_it_takes(run, board):
    with (
        ledger.lock(board, "darbench sweep --space mine") as held,
        working_on(board, "w", trial="a-1", label="a", seed=1) as stepped,
        working_on(board, "v", trial="a-2", label="a", seed=2),
    ):
        held.say(since="2031-05-01T10:00:00+00:00", left=6)
        stepped(3, 40)
        _, out, err = run("status", str(board))
    assert err == ""
    assert " since 2031-05-01 10:00 UTC: darbench sweep --space mine\n" in out
    assert "  trials: 1 ok, 1 crashed, 2 running, 4 left\n" in out
    assert re.search(
        r"\n  running: a, seed 1: step 3 of 40, for \d s; darbench logs -f a-1\n", out
    )
    assert re.search(r"\n  running: a, seed 2: begins, for \d s; darbench logs -f a-2\n", out)


def test_it_says_the_same_to_programs(run, board):
    (found,) = json.loads(run("status", "--json")[1])
    assert found["states"] == {"ok": 1, "crashed": 1, "left": 2}
    assert found["failures"][0]["log"][-1] == "the end"
    assert found["disk"]["ledger"] == sum(f.stat().st_size for f in (board / "ledger").iterdir())


def test_without_a_name_it_says_it_of_all(run, board, tmp_path):
    append(tmp_path / "leaderboards" / "other", "c-0")
    out = run("status")[1]
    assert [line for line in out.splitlines() if not line.startswith(" ")] == [
        "leaderboards/mine",
        "",
        "leaderboards/other",
    ]


def test_what_is_not_there_is_one_line(run, board):
    code, out, err = run("status", "mien")
    assert (code, out) == (2, "")
    assert err == "darbench: unknown sweep in leaderboards 'mien'; did you mean mine?\n"
    assert "no sweep has written to elsewhere" in run("status", "--out", "elsewhere")[2]


def test_it_imports_no_torch(board):
    code = "import sys; from darbench.commands import status, clean, logs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not {"torch", "ray", "polars"} & {*done.stdout.split()}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min")],
)
def test_times_for_people(seconds, text):
    assert span(seconds) == text
    assert span(53 * 3600) == "2 d 5 h"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3.9e6, "3.9 MB")]
)
def test_sizes_for_people(count, text):
    assert size(count) == text
