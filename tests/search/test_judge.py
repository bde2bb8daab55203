"""Pruners on the checkpoints of a search: who is stopped, and that a rebuilt one says the same."""

import random
from collections import Counter

import optuna
import pytest

from darbench.search.propose import proposer
from darbench.store.verdicts import Verdicts
from tests.make.spaces import load
from tests.search.checkpoints import PRUNED, Run, checkpoint, stop

PRUNERS = {
    "halving": ("prune.pruner=halving", "prune.factor=2"),
    "hyperband": ("prune.pruner=hyperband", "prune.factor=2"),
    "median": ("prune.pruner=median", "prune.startup=2"),
    "wilcoxon": ("prune.pruner=wilcoxon", "prune.level=0.3"),
}


def made(folder, pruner: str, *overrides: str):
    return load(folder, PRUNED, *PRUNERS[pruner], *overrides)


def state(study) -> list[tuple]:
    """All that the judge's study knows, by number."""
    return [
        (t.number, t.state, t.value, t.intermediate_values, t.system_attrs)
        for t in study._judge._study.get_trials()
    ]


def pruned(rows) -> dict[str, int]:
    return Counter(row["config_hash"] for row in rows if row["status"] == "pruned")


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_pruned_configuration_ends_once_and_no_further_seed_makes_a_step(tmp_path, pruner):
    proposing = proposer(made(tmp_path, pruner), [])
    rows = Run(proposing, []).all()
    stopped = pruned(rows)
    assert 3 < len(stopped) < 24 and set(stopped.values()) == {1}
    for key in stopped:
        own = [row for row in rows if row["config_hash"] == key]
        assert own[-1]["status"] == "pruned" and own[-1]["final"]
        seeds = [row["pair_id"] for row in own]
        assert seeds == sorted(seeds)  # one after another
        measured = len(own) - 1
        at = measured // 3 if pruner == "wilcoxon" else measured
        of = "3 seeds" if pruner == "wilcoxon" else "9 checkpoints"
        assert own[-1]["error"] == f"pruned by {pruner} at {at} of {of}"
    ends = [row for row in rows if row["final"]]
    assert proposing.total == len(ends) and len({row["trial_id"] for row in ends}) == len(ends)


@pytest.mark.parametrize("pruner", PRUNERS)
@pytest.mark.parametrize("lot", range(4))
def test_a_study_that_was_killed_has_the_same_rungs_and_says_the_same(tmp_path, pruner, lot):
    """Every row is of one second and the ledger's files are in any order: verdicts hold theirs."""
    space, kept = made(tmp_path, pruner), Verdicts()
    uncut = proposer(space, [], verdicts=kept)
    running = Run(uncut, [], lot=lot)
    for _ in range(random.Random(lot).randint(5, 90)):
        running.step()
    ledger = random.Random(lot).sample(running.rows, len(running.rows))
    rebuilt = proposer(space, ledger, verdicts=Verdicts([*kept.given]))
    rebuilt.next()  # a study takes up what has finished as it goes
    assert state(rebuilt) == state(uncut)
    assert rebuilt._judge.pruned == uncut._judge.pruned
    again = Verdicts([*kept.given])
    judged = proposer(space, running.rows, verdicts=again)._judge
    own = [(t, row) for t, row in ahead(running)]
    for trial, row in own:
        uncut._judge.hear(trial, row)
        judged.hear(trial, row)
        assert judged.pruned == uncut._judge.pruned
    assert again.given == kept.given and len(own) > 0


def ahead(running):
    """What would come of the trials that were under way, each to its end."""
    for trial, _ in running.running.values():
        for mark in (0.25, 0.5, 1.0):
            yield trial, checkpoint(trial, mark)


def test_every_verdict_is_had_again_by_optuna_itself(tmp_path):
    """The oracle: a plain study of the same rows in the order of the verdicts."""
    kept = Verdicts()
    rows = Run(proposer(made(tmp_path, "halving"), [], verdicts=kept), []).all()
    by_hash = {row["row_hash"]: row for row in rows}
    study = optuna.create_study(
        study_name="darbench",
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    )
    trials = {}
    for verdict in kept.given:
        row = by_hash[verdict.row]
        trial = trials.setdefault(row["config_hash"], study.ask())
        step = 3 * row["pair_id"] + [25, 50, 100].index(row["step"]) + 1
        trial.report(row["val_loss"], step)
        assert bool(verdict.pruned) == (step < 9 and trial.should_prune())
    assert sum(bool(v.pruned) for v in kept.given) == len(pruned(rows)) > 3


@pytest.mark.parametrize("cut", [7, 20, 41])
def test_the_same_command_goes_on_after_a_kill_and_runs_nothing_twice(tmp_path, cut):
    space, kept, rows = made(tmp_path, "hyperband"), Verdicts(), []
    first = Run(proposer(space, rows, verdicts=kept), rows)
    for _ in range(cut):
        first.step()
    final = {row["trial_id"] for row in rows if row["final"]}
    went_on = Run(proposer(space, [*rows], verdicts=Verdicts([*kept.given])), rows)
    went_on.all()
    ends = Counter(row["trial_id"] for row in rows if row["final"])
    assert final <= ends.keys() and set(ends.values()) == {1}
    once_more = proposer(space, rows, verdicts=went_on.proposing._judge._verdicts)
    assert Run(once_more, []).all() == [] and once_more.skipped == once_more.total


def test_a_verdict_that_came_too_late_for_its_row_is_asked_for_again(tmp_path):
    """The driver died between a worker's row and its verdict; the next one asks."""
    space, kept, rows = made(tmp_path, "halving"), Verdicts(), []
    run = Run(proposer(space, rows, verdicts=kept), rows, workers=1)
    while not pruned(rows):
        run.step()
    told = kept.given.pop()
    assert told.pruned
    stopped, cut = rows[-1], rows[:-1]  # nor had the worker written that it was stopped
    rebuilt = proposer(space, cut, verdicts=Verdicts([*kept.given]))
    trial = rebuilt.next()
    assert trial.id == stopped["trial_id"]
    assert rebuilt.pruned(trial) == stopped["error"]


def test_what_went_on_before_anybody_was_asked_is_not_stopped_for_its_past(tmp_path):
    """A search that ran without a pruner, and is gone on with by one."""
    rows = Run(proposer(load(tmp_path, PRUNED, "trials=8"), []), []).all()
    kept = Verdicts()
    proposing = proposer(made(tmp_path, "halving", "trials=8"), rows, verdicts=kept)
    assert Run(proposing, []).all() == []
    assert proposing.skipped == 24 and not any(verdict.pruned for verdict in kept.given)
    assert {t.state.name for t in proposing._study.trials} == {"COMPLETE"}


def test_what_was_pruned_stays_so_without_verdicts_and_without_a_pruner(tmp_path):
    rows = Run(proposer(made(tmp_path, "halving"), []), []).all()
    for space in (made(tmp_path, "halving"), load(tmp_path, PRUNED)):
        proposing = proposer(space, rows)
        assert Run(proposing, []).all() == []
        states = Counter(t.state.name for t in proposing._study.trials)
        assert states["PRUNED"] == len(pruned(rows))


def test_tpe_learns_from_what_was_pruned_and_confirmation_is_never_pruned(tmp_path):
    space = made(tmp_path, "median", "sampler=tpe", "confirm.top=2", "confirm.seeds=[7,8]")
    proposing = proposer(space, [])
    rows = Run(proposing, []).all()
    stopped = pruned(rows)
    states = Counter(t.state.name for t in proposing._study.trials)
    assert states["PRUNED"] == len(stopped) > 2
    assert all(t.intermediate_values for t in proposing._study.trials if t.state.name == "PRUNED")
    confirmed = [row for row in rows if row["split"] == "confirm" and row["final"]]
    assert {row["status"] for row in confirmed} == {"ok"}
    best = {row["config_hash"] for row in confirmed if row["routing"] != "add"}
    assert len(best) == 2 and not best & stopped.keys()


def test_every_ground_has_a_judge_of_its_own(tmp_path):
    """Two learning rates of which one is worse throughout: it is not held against the other."""
    text = PRUNED + "axes: {training.lr: [1.0e-3, 1.0e-2]}\n"
    space = load(tmp_path, text, *PRUNERS["halving"], "trials=8")
    kept = Verdicts()
    proposing = proposer(space, [], verdicts=kept)
    rows = Run(proposing, []).all()
    judges = [study._judge for study in proposing.proposers]
    heard = [{*judge._heard} for judge in judges]
    assert [len(each) for each in heard] == [8, 8] and not heard[0] & heard[1]
    assert {*judges[0].pruned} | {*judges[1].pruned} == pruned(rows).keys()
    again = proposer(space, rows, verdicts=Verdicts([*kept.given]))
    assert [study._judge.pruned for study in again.proposers] == [each.pruned for each in judges]


def test_a_metric_that_is_not_measured_yet_is_not_judged(tmp_path):
    proposing = proposer(made(tmp_path, "halving"), [])
    trial = proposing.next()
    proposing.heard(trial, checkpoint(trial, 0.25) | {"val_loss": None})
    assert proposing._judge._study.get_trials() == [] and proposing._judge._verdicts.given == []


def test_a_failed_seed_leaves_the_next_to_run_and_fails_the_configuration(tmp_path):
    proposing = proposer(made(tmp_path, "halving", "trials=1"), [])
    first = proposing.next()
    proposing.tell(first, stop(first, "boom") | {"status": "crashed"})
    second = proposing.next()
    assert second.config_hash == first.config_hash and proposing.next() is None
