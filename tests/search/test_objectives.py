"""Searches of two objectives: NSGA-II, the front that is confirmed, and what is refused."""

import itertools
import random
from statistics import fmean

import pytest

from darbench.errors import BadInput
from darbench.search.objectives import COSTS, front
from darbench.search.propose import proposer
from darbench.search.proposer import Exhausted
from tests.make.rows import last_row
from tests.make.spaces import load
from tests.search.drive import searched

TRADE = """
sampler: nsga2
objectives: [val_loss, params_total]
trials: 40
seeds: [0, 1]
confirm: {top: 3, seeds: [7]}
variants:
  - {routing: add}
  - routing: hyper
    params: {streams: {low: 1, high: 64}}
    training: {lr: {low: 1.0e-3, high: 1.0e-1, log: true}}
"""


def row(trial) -> dict:
    """More streams lower the loss and cost parameters; a rate away from .01 only costs."""
    streams = trial.variant.params.get("streams", 1)
    loss = 1 / streams + 20 * abs(trial.training.lr - 0.01) + 0.001 * trial.pair_id
    return last_row(trial, loss) | {"params_total": 1000 + 10 * streams}


def drive(proposing, rows, limit=None):
    ran = []
    while limit is None or len(ran) < limit:
        try:
            trial = proposing.next()
        except Exhausted:
            break
        rows.append(row(trial) | {"created_utc": f"{len(rows):09}"})
        proposing.tell(trial, rows[-1])
        ran.append(trial)
    return ran


def means(rows) -> dict[str, tuple[float, float]]:
    own = {}
    for each in rows:
        if each["split"] == "search":
            both = each["val_loss"], each["params_total"]
            own.setdefault(each["config_hash"], []).append(both)
    return {key: (fmean(v[0] for v in own[key]), fmean(v[1] for v in own[key])) for key in own}


@pytest.mark.parametrize("lot", range(5))
def test_a_front_is_what_nothing_else_dominates(lot):
    """By definition, over all pairs; values of few digits, so that some are equal."""
    draw = random.Random(lot)
    points = {str(n): (draw.randint(0, 9), draw.randint(0, 9)) for n in range(40)}
    wanted = set(points)
    for one, (name, (loss, cost)) in itertools.product(points.values(), points.items()):
        if one[0] <= loss and one[1] <= cost and (one[0] < loss or one[1] < cost):
            wanted.discard(name)
    assert {*front(points)} == wanted


def test_the_best_of_the_front_are_confirmed(tmp_path):
    rows = []
    ran = drive(proposer(load(tmp_path, TRADE), []), rows)
    points = means(rows)
    add = {t.config_hash for t in ran if t.variant.routing == "add"}
    assert len(add) == 1 and not add & points.keys()
    best = sorted(front(points), key=lambda key: points[key][0])[:3]
    confirmed = {t.config_hash for t in ran if t.split == "confirm"}
    assert confirmed == {*best} | add and len(points) == 40


def test_nsga_comes_nearer_to_the_front_than_it_began(tmp_path):
    rows = []
    drive(proposer(load(tmp_path, TRADE, "trials=80", "confirm.top=0"), []), rows)
    values = [*means(rows).values()]
    loss = [a - 1 / ((b - 1000) / 10) for a, b in values]  # what the rate costs
    assert sum(loss[-20:]) < sum(loss[:20]) / 2


@pytest.mark.parametrize("stop", [3, 25, 50])
def test_a_killed_search_goes_on_in_its_generations_and_runs_nothing_twice(tmp_path, stop):
    space, rows = load(tmp_path, TRADE), []
    first = drive(proposer(space, []), rows, limit=stop)
    rebuilt = proposer(space, [*rows])
    rest = drive(rebuilt, rows)
    ids = [trial.id for trial in first + rest]
    assert len(ids) == len({*ids}) and len({t.config_hash for t in searched(first + rest)}) == 40
    given = rebuilt._study.get_trials()[: stop // 2]
    generations = [trial.system_attrs["NSGAIISampler:generation"] for trial in given]
    assert generations == sorted(generations) == [n // 8 for n in range(stop // 2)]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["objectives=[]"], r"takes two objectives, such as objectives=\[val_loss,params_total\]"),
        (["objectives=[val_loss]"], "takes two objectives"),
        (["objectives=[val_loss,train_flop]"], "did you mean train_flops"),
        (["objectives=[params_total,val_loss]"], "first comes val_loss"),
        (["objectives=[val_loss,val_loss]"], "first comes val_loss"),
        (["sampler=tpe"], "sampler=tpe has one, val_loss"),
        (["prune.pruner=halving"], "a search of two objectives stops nothing early"),
    ],
)
def test_what_is_no_pair_of_objectives_is_one_line(tmp_path, overrides, said):
    with pytest.raises(BadInput, match=said) as caught:
        load(tmp_path, TRADE, *overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_can_be_the_second_objective(tmp_path, cost):
    assert load(tmp_path, TRADE, f"objectives=[val_loss,{cost}]").objectives[1] == cost
