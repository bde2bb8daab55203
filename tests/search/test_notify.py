import json
import time
from pathlib import Path

import pytest

from darbench.errors import BadInput
from darbench.search import notify
from darbench.search.notify import notifying
from darbench.search.progress import Progress
from tests.make.spaces import load
from tests.make.trials import toy_trial

ADD = toy_trial(label="add")
CRASHED = {"status": "crashed", "error": "boom $(touch pwned); `touch pwned`"}
# Writes down what it is told, a line each.
SCRIPT = """#!/bin/sh
printf '%s|%s|' "$DARBENCH_EVENT" "$DARBENCH_MESSAGE" >> "$0.told"
cat >> "$0.told"
echo >> "$0.told"
"""


@pytest.fixture
def script(tmp_path):
    """Makes a script that does more than to write down what it is told; its path."""

    def of(more: str = "") -> Path:
        path = tmp_path / "a script"
        path.write_text(SCRIPT + more)
        path.chmod(0o755)
        return path

    return of


def told(script: Path) -> list[tuple[str, str, dict]]:
    file = Path(f"{script}.told")
    *lines, _ = file.read_text().split("\n") if file.exists() else [""]
    cut = [line.split("|", 2) for line in lines]
    return [(event, message, json.loads(summary)) for event, message, summary in cut]


def fail(progress: Progress, listener) -> None:
    progress.ended(ADD, CRASHED)
    listener(progress)


def test_a_command_is_told_of_a_failure_and_of_the_end(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, events, progress = script(), [], Progress(total=3, skipped=1)
    with notifying(f"'{path}'", Path("here/mine"), lambda p: events.append(p.event)) as hear:
        hear(progress)
        fail(progress, hear)
        progress.ended(ADD, {"status": "ok", "val_loss": 0.5})
        hear(progress)
    (failure, what, counts), (end, whole, _) = told(path)
    assert (failure, end) == ("failure", "end")
    assert what == "mine: crashed: add, seed 0: boom $(touch pwned); `touch pwned`"
    assert whole == "mine: 3 of 3 trials ended, 1 failed"
    assert counts == {
        "event": "failure",
        "name": "mine",
        "message": what.removeprefix("mine: "),
        **{"total": 3, "skipped": 1, "done": 0, "failed": 1, "pruned": 0, "left": 1},
        "board": "here/mine/index.html",
    }
    assert [*tmp_path.glob("pwned")] == [] and not any("notify" in event for event in events)


def test_failures_while_the_command_runs_share_a_notice(script):
    path, progress = script("sleep 0.5\n"), Progress(total=9, skipped=0)
    with notifying(f"'{path}'", Path("mine"), lambda p: None) as hear:
        for _ in range(4):
            fail(progress, hear)
        while len(told(path)) < 2:
            time.sleep(0.05)
            hear(progress)
    counts = [(event, summary["failed"]) for event, _, summary in told(path)]
    assert counts == [("failure", 1), ("failure", 4), ("interrupted", 4)]


def test_what_ends_the_sweep_is_told_and_passed_on(script):
    path = script()
    with (
        pytest.raises(BadInput, match="the disk is full"),
        notifying(f"'{path}'", Path("mine"), lambda p: None),
    ):
        raise BadInput("the disk is full")
    assert [each[:2] for each in told(path)] == [("stopped", "mine: the disk is full")]


@pytest.mark.parametrize(
    "more, line",
    [
        ("echo no such channel >&2\nexit 3\n", ": ended with 3: no such channel"),
        ("exit 3\n", ": ended with 3"),
        ("sleep 60\n", ": took longer than 0.5 s, and was killed"),
        ("exec 0<&-\n", None),
    ],
)
def test_a_command_that_fails_costs_a_line(script, monkeypatch, more, line):
    monkeypatch.setattr(notify, "LIMIT_S", 0.5)
    path, events = script(more), []
    began = time.monotonic()
    with notifying(f"'{path}'", Path("mine"), lambda p: events.append(p.event)):
        pass
    assert events == ([f"notify: {path}{line}"] if line else [])
    assert time.monotonic() - began < 10


def test_a_command_that_cannot_be_started_costs_a_line(script):
    path, events = script(), []
    with notifying(f"'{path}'", Path("mine"), lambda p: events.append(p.event)):
        path.unlink()
    assert events == [f"notify: {path}: cannot be run: No such file or directory"]


@pytest.mark.parametrize(
    "command, message",
    [
        ("no-such-program now", "there is no program 'no-such-program' here"),
        ("'mail me", "No closing quotation"),
        ("  ", "there is no program"),
    ],
)
def test_a_command_that_is_none_is_refused_before_anything_runs(command, message):
    with pytest.raises(BadInput, match=message), notifying(command, Path("mine"), lambda p: None):
        pytest.fail("it began")


def test_no_command_is_none(tmp_path):
    assert load(tmp_path, "variants: [{routing: add}]\n").notify == ""
    with notifying("", tmp_path, print) as hear:
        assert hear is print
