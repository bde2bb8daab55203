"""The tuned track: every variant tries the same, its best is ranked, and a rerun adds nothing."""

import json
import math
from collections import Counter

import pytest

from darbench.board.rank import sections
from darbench.errors import BadInput
from darbench.search.propose import proposer
from darbench.search.sweep import preview
from darbench.store import declared
from darbench.store.tables import to_frame
from tests.make.spaces import load, write
from tests.search.drive import drive, searched

SPACE = """
seeds: [0, 1]
tune:
  trials: 3
  seeds: [7, 8]
  over: {training.lr: {low: 1e-3, high: 1e-1, log: true}, params.lr_mult: [1, 10]}
variants: [{routing: add}, {routing: dar, params: {span: 2}}]
"""
# Rates tried: 0.01, 0.00316, 0.0316. Best: add at 0.00316, dar at 0.0316 with lr_mult 10.


def objective(trial) -> float:
    best = {"add": 3.16e-3, "dar": 3.16e-2}[trial.variant.routing]
    value = 1 + abs(math.log(trial.training.lr / best)) + 0.01 * trial.pair_id
    return value - 0.1 * (trial.variant.params.get("lr_mult") == 10)


def swept(folder, *overrides: str, **keywords):
    """The proposer of a whole sweep, its trials and its rows."""
    rows: list[dict] = []
    proposing = proposer(load(folder, SPACE, *overrides), rows)
    return proposing, drive(proposing, rows, value=objective, **keywords), rows


def test_the_fixed_track_runs_as_before_and_comes_first(tmp_path):
    _, ran, _ = swept(tmp_path)
    _, alone, _ = swept(tmp_path, "tune.over=null")
    assert [t.id for t in ran[: len(alone)]] == [t.id for t in alone]
    assert {t.training.lr for t in alone} == {6e-3}


def test_every_variant_tries_the_same_points_on_seeds_that_rank_nothing(tmp_path):
    proposing, ran, _ = swept(tmp_path)
    tries = {
        routing: Counter(t.training.lr for t in searched(ran) if t.variant.routing == routing)
        for routing in ("add", "dar")
    }
    assert tries["add"] == dict.fromkeys((0.01, 0.00316, 0.0316), 2)
    assert tries["dar"] == dict.fromkeys((0.01, 0.00316, 0.0316), 4)
    assert {t.pair_id for t in searched(ran)} == {7, 8}
    assert proposing.total == len(ran) == 4 + 6 + 12 + 4


def test_the_best_mean_of_each_variant_is_confirmed_on_the_seeds_that_rank(tmp_path):
    _, ran, _ = swept(tmp_path)
    last = ran[-4:]
    assert {t.split for t in last} == {"confirm"} and {t.pair_id for t in last} == {0, 1}
    picked = {(t.variant.routing, t.training.lr, t.variant.params.get("lr_mult")) for t in last}
    assert picked == {("add", 0.00316, None), ("dar", 0.0316, 10.0)}


@pytest.mark.parametrize("lost", ["crashed", "diverged"])
def test_a_point_with_a_failed_seed_is_not_picked(tmp_path, lost):
    def status(trial):
        best = trial.training.lr == 0.00316 and trial.pair_id == 8
        return lost if trial.variant.routing == "add" and best else "ok"

    _, ran, _ = swept(tmp_path, status=status)
    assert {t.training.lr for t in ran[-4:] if t.variant.routing == "add"} == {0.01}


def test_a_variant_that_failed_everywhere_has_no_tuned_entry(tmp_path):
    proposing, ran, _ = swept(
        tmp_path,
        status=lambda t: "crashed" if t.split == "search" and t.variant.routing == "dar" else "ok",
    )
    confirmed = [t for t in ran[4:] if t.split == "confirm"]
    assert {t.variant.routing for t in confirmed} == {"add"} and proposing.total == len(ran)


@pytest.mark.parametrize("limit", [0, 3, 9, 20, 24])
def test_it_goes_on_from_the_ledger_wherever_it_was_cut(tmp_path, limit):
    _, whole, _ = swept(tmp_path)
    _, first, rows = swept(tmp_path, limit=limit)
    again = proposer(load(tmp_path, SPACE), rows)
    rest = drive(again, rows, value=objective)
    assert sorted(t.id for t in first + rest) == sorted(t.id for t in whole)
    assert again.skipped == limit and again.total == len(whole)
    assert drive(proposer(load(tmp_path, SPACE), rows), rows) == []


def test_more_points_add_only_theirs(tmp_path):
    _, ran, rows = swept(tmp_path)
    more = drive(proposer(load(tmp_path, SPACE, "tune.trials=5"), rows), rows, value=objective)
    assert len(searched(more)) == 2 * 2 + 2 * 4 and not {t.id for t in ran} & {t.id for t in more}


def test_a_best_that_is_the_spaces_own_rate_runs_once(tmp_path):
    rate = ["training.lr=0.00316", "tune.over.params.lr_mult=null"]
    proposing, ran, _ = swept(tmp_path, *rate)
    assert len({(t.id, t.split) for t in ran}) == len(ran) == proposing.total
    adds = [t for t in ran if t.variant.routing == "add" and t.split == "confirm"]
    assert len(adds) == 2 and len(proposing.declares.places[adds[0].config_hash]) == 3


def test_a_configuration_that_stands_twice_runs_once(tmp_path):
    twin = "variants=[{routing: add},{routing: dar},{routing: dar,params: {span: 4},label: twin}]"
    proposing, ran, _ = swept(tmp_path, twin)
    assert len({(t.id, t.split) for t in ran}) == len(ran) == proposing.total == 4 + 18 + 4


def test_seeds_of_the_search_stay_apart_from_those_that_rank(tmp_path):
    _, _, rows = swept(tmp_path)
    with pytest.raises(BadInput, match=r"^seeds: a search of these routings ran on \[7\]"):
        proposer(load(tmp_path, SPACE, "seeds=[7]", "tune.seeds=[9]"), rows)
    with pytest.raises(BadInput, match=r"^tune\.seeds \[1\] rank entries .* tune\.seeds=\["):
        proposer(load(tmp_path, SPACE, "seeds=[4]", "tune.seeds=[1]"), rows)


def test_the_board_ranks_tuned_entries_against_the_tuned_add(tmp_path):
    proposing, _, rows = swept(tmp_path)
    for row in rows:
        row |= {"train_flops": 2e9, "budget_flops": 2e9}
    made = proposing.declares
    told = declared.Declared().extended(made.seeds, rank_by=made.rank_by, places=made.places)
    fixed, tuned = sections(to_frame(rows), told)
    assert fixed.tuning is None and {row.label for row in fixed.rows} == {"add", "dar (span=2)"}
    assert tuned.name == "digits-nano, tuned training.lr and params.lr_mult"
    dar, add = tuned.rows
    assert (dar.label, add.label) == ("dar (span=2, lr_mult=10.0) [lr=0.0316]", "add [lr=0.00316]")
    assert dar.against == add.entry and dar.rank == 1 and tuned.tried == 2
    assert "another training" not in dar.mark
    assert "training.lr=0.0316 is at the edge of what was tried" in dar.mark
    assert "params.lr_mult" not in dar.mark and "edge" in add.mark
    tuning = tuned.tuning
    assert (tuning.trials, tuning.cost) == ((6, 12), (6.0, 12.0))
    assert [t.label for t in tuning.tried if t.picked] == [add.label, dar.label]
    first = tuning.tried[0]
    assert first.picked and first.seeds == 2 and first.mean == pytest.approx(1.075)
    assert len(tuning.tried) == 3 + 6


def test_before_a_best_is_known_the_search_is_shown(tmp_path):
    proposing, _, rows = swept(tmp_path, limit=6)
    for row in rows:
        row |= {"train_flops": 2e9, "budget_flops": 2e9}
    told = declared.Declared().extended({}, places=proposing.declares.places)
    _, tuned = sections(to_frame(rows), told)
    assert {row.split for row in tuned.rows} == {"search"}
    assert not any(row.rank for row in tuned.rows)


def test_a_dry_run_tells_what_is_tuned(tmp_path, run):
    plan = preview(write(tmp_path, SPACE), out=tmp_path)
    names = ["training.lr", "params.lr_mult"]
    assert plan["tuned"] == {"over": names, "seeds": [7, 8], "trials": 18}
    assert plan["total"] == 4 + 18 + 4
    line = ["sweep", "--space", write(tmp_path, SPACE), "--dry-run"]
    told = "also at its own best training.lr and params.lr_mult: 18 of the trials find it"
    assert told in run(*line)[1] and json.loads(run(*line, "--json")[1]) == plan
