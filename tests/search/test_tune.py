"""What the tuned track tries: the same points for every routing, and what cannot be tuned."""

import math

import pytest

from darbench.errors import BadInput
from darbench.registry import signature, signatures
from darbench.search.load import load_trial
from darbench.search.tune import Tune
from tests.make.spaces import load

SPACE = """
seeds: [0, 1]
tune:
  trials: 4
  seeds: [7]
  over: {training.lr: {low: 1e-3, high: 1e-1, log: true}, params.lr_mult: [1, 10]}
variants: [{routing: add}, {routing: dar, params: {span: [2, 4]}}]
"""


def tried(over: dict, routing: str = "dar", trials: int = 4) -> list[dict]:
    return Tune(trials=trials, seeds=(7,), over=over).points(signature(routing))


def radical_inverse(index: int, base: int) -> float:
    """The digits of a number mirrored at the point: Halton's sequence, one dimension each base."""
    value, place = 0.0, 1.0
    while index:
        index, digit = divmod(index, base)
        place /= base
        value += digit * place
    return value


def test_points_are_haltons_on_the_scale_of_each_range():
    over = {
        "training.lr": {"low": 1e-3, "high": 1e-1, "log": True},
        "training.label_dropout": {"low": 0.1, "high": 0.3},
    }
    for i, point in enumerate(tried(over, trials=9), start=1):
        lr, dropout = point["training.lr"], point["training.label_dropout"]
        share = math.log(lr / 1e-3) / math.log(100)
        assert share == pytest.approx(radical_inverse(i, 2), abs=2e-3)  # three digits are kept
        assert (dropout - 0.1) / 0.2 == pytest.approx(radical_inverse(i, 3), abs=2e-3)


def test_more_points_keep_the_first():
    over = {"training.lr": {"low": 1e-3, "high": 1e-1, "log": True}}
    assert tried(over, trials=12)[:4] == tried(over) and len(tried(over, trials=12)) == 12


def test_whole_numbers_stay_whole_and_a_step_is_kept_to():
    warmups = [p["training.warmup"] for p in tried({"training.warmup": {"low": 0, "high": 3}})]
    assert warmups == [2, 1, 3, 0]
    steps = {"training.warmup": {"low": 0, "high": 40, "step": 20}}
    assert [p["training.warmup"] for p in tried(steps)] == [20, 0, 40]


def test_a_list_is_tried_in_full_at_every_point_and_each_routing_gets_the_same():
    over = {
        "training.lr": {"low": 1e-3, "high": 1e-1, "log": True},
        "params.lr_mult": [1, 10],
        "training.weight_decay": 0.1,
    }
    dar, add = tried(over), tried(over, "add")
    assert len(dar) == 8 and len(add) == 4
    assert [p["lr_mult"] for p in dar] == [1.0] * 4 + [10.0] * 4
    assert [p["training.lr"] for p in dar] == [p["training.lr"] for p in add] * 2
    assert all("lr_mult" not in p and p["training.weight_decay"] == 0.1 for p in add)


def test_lists_alone_need_no_points():
    over = {"training.lr": [0.1, 0.2], "training.warmup": [0, 5]}
    assert len(tried(over, trials=50)) == 4


def test_every_configuration_of_a_grid_is_tuned_and_shows_its_values(tmp_path):
    space = load(tmp_path, SPACE)
    sizes = [(own[0].variant.routing, len(own)) for own in space.tuned()]
    assert sizes == [("add", 4), ("dar", 8), ("dar", 8)]
    labels = [c.variant.label for own in space.tuned() for c in own]
    assert labels[0] == "add [lr=0.01]" and labels[4] == "dar (span=2, lr_mult=1.0) [lr=0.01]"


def test_overrides_reach_what_is_tuned(tmp_path):
    space = load(tmp_path, SPACE, "tune.over.training.lr=[0.1,0.2]", "tune.over.params=null")
    assert dict(space.tune.over) == {"training.lr": [0.1, 0.2], "params.lr_mult": [1, 10]}
    assert not load(tmp_path, SPACE, "tune.over=null").tune
    more = load(tmp_path, SPACE, "~tune.over.params.lr_mult", "tune.trials=2", "tune.seeds=[8,9]")
    assert more.tune.names == ("training.lr",) and more.tune.seeds == (8, 9)


def test_multiples_are_of_what_each_task_sets(tmp_path):
    """0.006 on digits-nano, 0.012 on burden-shapes-1, by their cards."""
    space = "axes: {task: [digits-nano, burden-shapes-1]}\nvariants: [{routing: add}]"
    lists = load(tmp_path, space, "tune.over={training.lr: [0.5x, 1x, 0.1]}")
    rates = [[c.training.lr for c in own] for own in lists.tuned()]
    assert rates == [[0.003, 0.006, 0.1], [0.006, 0.012, 0.1]]
    over = "tune.over={training.lr: {low: 0.25x, high: 4x, log: true}}"
    ranges = load(tmp_path, space, over, "tune.trials=1")
    assert [own[0].training.lr for own in ranges.tuned()] == [0.006, 0.012]  # the middle


BAD = {
    "tune.over={training.decay: [x2]}": "training.decay='x2': must be float",
    "tune.over={training.lr: [0x]}": "training.lr=0.0: must be positive",
    "tune.over={params.lr_mult: [2x]}": "lr_mult='2x': must be float",
    "tune.over.training.lrr=[1]": "unknown setting in tune.over: 'training.lrr'; did you mean tra",
    "tune.over.params.lr_mul=[1]": "of no routing of the space: 'params.lr_mul'; did you mean par",
    "tune.over.training.ema=[0.5]": "training.ema decides what is measured, or at which budget",
    "tune.over.training.keep_weights=[all]": "unknown setting in tune.over: 'training.keep_weig",
    "tune.over.model.depth=[2]": "model.depth decides what is measured",
    "tune.over.training.lr=[x]": "variants[0]: training.lr='x': must be float",
    "tune.over.training.lr=[-1]": "variants[0]: training.lr=-1.0: must be positive",
    "tune.over.training.lr={low: 2, high: 1}": "low < high",
    "tune.over.params.span=[2]": "variants[1]: span is in tune.over too",
    "tune.over=3": "tune.over=3: must be a mapping",
    "tune.trials=0": "tune.trials=0: must be at least 1",
    "tune.seeds=[0,7]": "tune.seeds: [0] are in seeds too, and seeds that picked a winner never",
    "tune.seeds=[]": "tune.seeds=[]: must be distinct, at least one",
    "sampler=tpe": "sampler=tpe searches by itself; tune a grid",
    "axes.training.lr=[1]": "training.lr is an axis of the space; take it from one of them",
}


@pytest.mark.parametrize("override", BAD)
def test_what_cannot_be_tuned_is_one_helpful_line(tmp_path, override):
    with pytest.raises(BadInput) as refused:
        load(tmp_path, SPACE, override)
    assert BAD[override] in str(refused.value) and "\n" not in str(refused.value)


def test_what_tunes_nothing_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"tune\.trials=3: has no effect; say in tune\.over what"):
        load(tmp_path, "variants: [{routing: add}]", "tune.trials=3")
    with pytest.raises(BadInput, match="has no effect on one trial"):
        load_trial("add", "digits-nano", ["tune.over.training.lr=[1]"], 0, signatures())
