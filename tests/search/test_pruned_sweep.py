"""Pruned searches as they run: real trainings through Ray, killed and gone on with."""

import os
import signal
from collections import Counter

import pytest

import darbench
from darbench.search.sweep import preview
from darbench.store import verdicts
from darbench.store.standing import standing
from tests.make.spaces import TINY, write
from tests.search.running import finish, rows_of, start, until

pytestmark = pytest.mark.usefixtures("scratch")
SPACE = f"""
sampler: random
trials: 8
seeds: [0, 1]
confirm: {{top: 1, seeds: [7]}}
prune: {{pruner: halving, factor: 2}}
variants:
  - {{routing: add}}
  - {{routing: dar, params: {{lr_mult: {{low: 0.1, high: 30, log: true}}}}}}
{TINY}"""
MARKS = ("training.steps=8", "training.checkpoints=[0.25,0.5,1.0]")
SLOW = ("training.steps=300", "training.checkpoints=[0.1,0.4,1.0]", "evaluation.fd_from=0.4")


def ends(out) -> list[dict]:
    return [row for row in rows_of(out) if row["final"]]


def explained(out) -> None:
    """Every verdict is on a row of the ledger, and what was pruned is so by its verdict."""
    rows = {row["row_hash"]: row for row in rows_of(out)}
    said = [*verdicts.read(out / "mine")]
    assert {verdict.row for verdict in said} <= rows.keys()
    assert len({verdict.row for verdict in said}) == len(said)
    why = {rows[v.row]["config_hash"]: v.pruned for v in said if v.pruned}
    stopped = [row for row in rows.values() if row["status"] == "pruned"]
    assert {row["config_hash"]: row["error"] for row in stopped} == why
    assert len(stopped) == len(why) > 0


@pytest.fixture(scope="module")
def swept(tmp_path_factory, scratch):
    folder = tmp_path_factory.mktemp("pruned")
    space, events = write(folder, SPACE), []
    said = preview(space, MARKS, out=folder)
    outcome = darbench.sweep(space, MARKS, out=folder, listener=lambda p: events.append(p.event))
    return space, folder, said, outcome, events


def test_a_pruned_sweep_stops_what_is_worse_and_confirms_the_best(swept):
    _, out, said, outcome, events = swept
    assert (outcome.failed, outcome.left, outcome.interrupted) == (0, 0, False)
    assert outcome.done + outcome.pruned == outcome.total == len(ends(out)) < said["total"]
    stopped = [row for row in ends(out) if row["status"] == "pruned"]
    assert outcome.pruned == len(stopped) >= 2
    assert {row["split"] for row in stopped} == {"search"}
    assert all(row["error"].startswith("pruned by halving at ") for row in stopped)
    for row in stopped:  # no seed began after the one that was stopped
        own = [r for r in rows_of(out) if r["config_hash"] == row["config_hash"]]
        assert max(r["pair_id"] for r in own if r["split"] == "search") == row["pair_id"]
    assert sum("pruned by halving" in event for event in events) == len(stopped)
    assert standing(out / "mine").states["pruned"] == len(stopped)
    explained(out)
    assert not [*(out / "mine" / "states").glob("*")]


def test_what_was_pruned_is_said_on_the_board_and_has_no_rank(swept):
    _, out, _, outcome, _ = swept
    page = outcome.board.read_text()
    assert f"{outcome.pruned} of the configurations were pruned" in page
    frame = darbench.load_results("mine", out=out)
    assert set(frame.filter(status="pruned")["split"]) == {"search"}


def test_a_second_run_runs_nothing_and_asks_nobody(swept):
    space, out, _, before, _ = swept
    rows, said = rows_of(out), [*verdicts.read(out / "mine")]
    outcome = darbench.sweep(space, MARKS, out=out)
    assert (outcome.done, outcome.pruned, outcome.skipped) == (0, 0, before.total)
    assert rows_of(out) == rows and [*verdicts.read(out / "mine")] == said
    assert preview(space, MARKS, out=out)["prune"] == "halving"


@pytest.mark.slow
@pytest.mark.parametrize("after", [3, 8])
def test_a_pruned_sweep_that_was_killed_goes_on_and_every_verdict_is_explained(tmp_path, after):
    space, out = write(tmp_path, SPACE), tmp_path / "out"
    driver = start(space, out, *SLOW)
    until(lambda: len(rows_of(out)) >= after)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    kept = [*verdicts.read(out / "mine")]
    final = {row["trial_id"] for row in ends(out)}
    code, said, complaints = finish(space, out, *SLOW)
    assert (code, complaints) == (0, "") and " 0 failed, " in said
    done = Counter(row["trial_id"] for row in ends(out))
    assert final <= done.keys() and set(done.values()) == {1}
    assert [*verdicts.read(out / "mine")][: len(kept)] == kept
    explained(out)
    steps = Counter((r["trial_id"], r["split"], r["step"], r["status"]) for r in rows_of(out))
    assert all(count == 1 or status != "pruned" for (*_, status), count in steps.items())


@pytest.mark.slow
def test_wilcoxon_stops_a_configuration_when_a_seed_has_ended(tmp_path):
    space, out = write(tmp_path, SPACE), tmp_path / "out"
    given = ("seeds=[0,1,2,3,4]", "prune.pruner=wilcoxon", "confirm.top=0", *MARKS)
    code, _, complaints = finish(space, out, *given)
    assert (code, complaints) == (0, "")
    stopped = [row for row in ends(out) if row["status"] == "pruned"]
    assert stopped and {row["step"] for row in stopped} == {0}
    assert {row["error"] for row in stopped} == {"pruned by wilcoxon at 4 of 5 seeds"}
    assert {row["pair_id"] for row in stopped} == {4}
    explained(out)
