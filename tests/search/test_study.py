"""A search: which configurations are drawn, on which seeds, and which are confirmed."""

import statistics

import pytest
from optuna.trial import TrialState

from darbench.search.domains import Range
from darbench.search.propose import proposer
from darbench.search.proposer import Exhausted
from tests.make.rows import last_row
from tests.make.spaces import load
from tests.search.drive import STUDY, drive, objective, searched


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_study_runs_every_configuration_on_all_seeds(tmp_path, sampler):
    space = load(tmp_path, STUDY, f"sampler={sampler}")
    found = searched(drive(proposer(space, []), []))
    seeds = {}
    for trial in found:
        seeds.setdefault(trial.config_hash, []).append(trial.pair_id)
    assert len(seeds) == 12
    assert all(pairs == [0, 1] for pairs in seeds.values())


def test_a_study_is_told_the_mean_once_all_seeds_are_in(tmp_path):
    proposing = proposer(load(tmp_path, STUDY, "trials=1"), [])
    first, second = proposing.next(), proposing.next()
    assert proposing.next() is None
    proposing.tell(first, last_row(first, 1.0))
    assert proposing.next() is None
    assert [t.state for t in proposing._study.trials] == [TrialState.RUNNING]
    proposing.tell(second, last_row(second, 3.0))
    assert [t.value for t in proposing._study.trials] == [2.0]


@pytest.mark.parametrize("lost", ["crashed", "diverged", "no row"])
def test_a_failed_seed_fails_the_configuration(tmp_path, lost):
    proposing = proposer(load(tmp_path, STUDY, "trials=1"), [])
    first, second = proposing.next(), proposing.next()
    proposing.tell(first, None if lost == "no row" else last_row(first, None, status=lost))
    proposing.tell(second, last_row(second, 0.1))
    assert [t.state.name for t in proposing._study.trials] == ["FAIL"]
    assert {t.variant.routing for t in drive(proposing, [])} == {"add"}


def test_the_best_and_add_are_confirmed_on_fresh_seeds(tmp_path):
    space = load(tmp_path, STUDY)
    proposing = proposer(space, [])
    ran = drive(proposing, [])
    confirmed = [t for t in ran if t.split == "confirm"]
    means = {}
    for trial in searched(ran):
        means.setdefault(trial.config_hash, []).append(objective(trial))
    best = sorted(means, key=lambda config: statistics.fmean(means[config]))[:2]
    add = {t.config_hash for t in ran if t.variant.routing == "add"}
    assert {t.config_hash for t in confirmed} == {*best, *add}
    assert {t.pair_id for t in confirmed} == {100, 101, 102}
    assert {t.variant.routing for t in confirmed} == {"dar", "add"}
    assert ran[-len(confirmed) :] == confirmed
    assert proposing.total == len(ran)


def test_confirm_top_zero_leaves_confirmation_out(tmp_path):
    ran = drive(proposer(load(tmp_path, STUDY, "confirm.top=0"), []), [])
    assert len(ran) == len(searched(ran)) == 24


@pytest.mark.parametrize("stop", [0, 1, 2, 5, 13, 24, 25, 30])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_study_goes_on_and_runs_nothing_twice(tmp_path, sampler, stop):
    space = load(tmp_path, STUDY, f"sampler={sampler}")
    rows = []
    first = drive(proposer(space, rows), rows, limit=stop)
    proposing = proposer(space, rows)
    second = drive(proposing, rows)
    ids = [t.id for t in first + second]
    assert len(ids) == len(set(ids)) == proposing.total
    assert len({t.config_hash for t in searched(first + second)}) == 12
    assert proposing.skipped == len(first)
    once_more = proposer(space, rows)
    assert drive(once_more, rows) == []
    assert once_more.skipped == once_more.total == len(ids)


@pytest.mark.parametrize("stop", [0, 1, 5, 13, 24, 25, 30])
def test_random_draws_are_those_of_a_study_that_was_never_interrupted(tmp_path, stop):
    space = load(tmp_path, STUDY, "sampler=random")
    whole = drive(proposer(space, []), [])
    rows = []
    drive(proposer(space, rows), rows, limit=stop)
    rows = rows[1::2] if stop == 24 else rows  # half of them had not ended
    drive(proposer(space, rows), rows)
    assert {row["trial_id"] for row in rows} == {trial.id for trial in whole}


def test_many_random_draws_are_met_again_and_passed_over(tmp_path):
    text = """
    seeds: [0]
    confirm: {top: 0}
    variants: [{routing: dar, params: {lr_mult: {low: 1, high: 9}}}]
    """
    rows = []
    drive(proposer(load(tmp_path, text, "sampler=random", "trials=150"), rows), rows)
    more = drive(proposer(load(tmp_path, text, "sampler=random", "trials=152"), rows), rows)
    assert len(more) == 2


def test_trials_that_were_running_when_a_study_died_are_run(tmp_path):
    space = load(tmp_path, STUDY)
    proposing = proposer(space, [])
    one, other = proposing.next(), proposing.next()
    proposing.next()
    rows = [last_row(other)]  # of the first configuration, whose other seed never ended
    again = searched(drive(proposer(space, rows), rows))
    assert again[0].id == one.id
    assert other.id not in {t.id for t in again}


def test_a_study_can_be_extended(tmp_path):
    rows = []
    drive(proposer(load(tmp_path, STUDY, "trials=4"), rows), rows)
    more = searched(drive(proposer(load(tmp_path, STUDY, "trials=6"), rows), rows))
    assert len({t.config_hash for t in more}) == 2


def test_a_space_with_another_variant_keeps_what_it_still_holds(tmp_path):
    rows = []
    before = drive(proposer(load(tmp_path, STUDY), rows), rows)
    wider = load(tmp_path, STUDY + "  - {routing: denseformer}\n", "trials=14")
    after = searched(drive(proposer(wider, rows), rows))
    assert not {t.id for t in after} & {t.id for t in before}
    assert len({t.config_hash for t in after}) == 2


def test_a_small_space_is_drawn_once_each_and_then_confirmed(tmp_path):
    space = load(
        tmp_path,
        """
        sampler: random
        trials: 20
        seeds: [0]
        confirm: {top: 1, seeds: [9]}
        variants: [{routing: add}, {routing: dar, params: {span: [2, 4]}}]
        """,
    )
    rows = []
    proposing = proposer(space, rows)
    ran = drive(proposing, rows)
    assert sorted(t.variant.label for t in searched(ran)) == [
        "add",
        "dar (span=2)",
        "dar (span=4)",
    ]
    assert len(ran) == proposing.total
    assert drive(proposer(space, rows), rows) == []


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sampler_that_insists_on_the_best_still_draws_others(tmp_path, sampler):
    text = """
    trials: 40
    seeds: [0]
    variants: [{routing: hyper, params: {streams: {low: 1, high: 45}}}]
    """
    space = load(tmp_path, text, f"sampler={sampler}")
    assert len(searched(drive(proposer(space, []), []))) == 40


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_several_workers_get_different_trials(tmp_path, sampler):
    """Four trials under way at any time, which end in the wrong order."""
    proposing = proposer(load(tmp_path, STUDY, f"sampler={sampler}"), [])
    ids, running = set(), []
    while True:
        try:
            trial = proposing.next() if len(running) < 4 else None
        except Exhausted:
            trial = None
            if not running:
                break
        if trial is None:
            ended = running.pop()
            proposing.tell(ended, last_row(ended, objective(ended)))
            continue
        assert trial.id not in ids
        ids.add(trial.id)
        running.append(trial)
    assert len(ids) == proposing.total


def test_parameters_of_one_variant_are_conditional(tmp_path):
    proposing = proposer(load(tmp_path, STUDY), [])
    drive(proposing, [])
    own = {"add": set(), "dar": {"dar/query", "dar/lr_mult"}, "hyper": {"hyper/streams"}}
    for asked in proposing._study.trials:
        assert set(asked.params) == {"variant", *own[asked.params["variant"]]}


def test_ranges_are_drawn_within_and_on_their_scale(tmp_path):
    space = load(tmp_path, STUDY, "sampler=random", "trials=60", "seeds=[0]")
    ran = searched(drive(proposer(space, []), []))
    streams = {t.variant.params["streams"] for t in ran if t.variant.routing == "hyper"}
    assert streams <= set(range(1, 9)) and len(streams) > 3
    rates = [t.variant.params["lr_mult"] for t in ran if t.variant.routing == "dar"]
    assert all(rate in Range(low=0.1, high=10.0) for rate in rates)
    assert 0.25 < sum(rate < 1 for rate in rates) / len(rates) < 0.75


def test_tpe_finds_better_configurations_than_it_began_with(tmp_path):
    space = load(tmp_path, STUDY, "trials=40", "seeds=[0]")
    values = [objective(t) for t in searched(drive(proposer(space, []), []))]
    assert min(values) < 0.32
    assert statistics.median(values[20:]) < statistics.median(values[:20])


def test_optuna_says_nothing(tmp_path, capfd):
    drive(proposer(load(tmp_path, STUDY, "trials=2"), []), [])
    assert capfd.readouterr() == ("", "")
