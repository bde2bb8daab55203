"""Axes: every combination of their values is a ground, with trials and a section of its own."""

import json
from itertools import product

import pytest

from darbench import registry
from darbench.errors import BadInput
from darbench.search.load import load_space, load_trial
from darbench.search.propose import proposer
from darbench.search.sweep import preview
from tests.make.spaces import load, write
from tests.search.drive import STUDY, drive

SIGNATURES = registry.signatures()
AXES = """
seeds: [0, 1]
axes: {model.patch: [2, 4], training.lr: [3e-3, 6e-3, 1.2e-2]}
variants: [{routing: add}, {routing: dar, params: {span: 2}, training: {warmup: [0, 5]}}]
"""
TASKS = """
axes: {task: [digits-nano, shapes-nano], training.steps: [100, 200]}
variants: [{routing: add}]
"""


def points(space) -> list[dict]:
    return [dict(ground.point) for ground in space.grounds]


def settings(space) -> list[tuple]:
    return [(g.model.patch, g.training.lr) for g in space.grounds]


def test_axes_multiply_a_space_and_every_point_has_all_variants(tmp_path):
    space = load(tmp_path, AXES)
    assert settings(space) == list(product((2, 4), (3e-3, 6e-3, 1.2e-2)))
    assert points(space) == [{"model.patch": p, "training.lr": lr} for p, lr in settings(space)]
    walked = [c.trial(0, "confirm") for c in space.grid()]
    assert len({trial.id for trial in walked}) == len(walked) == 6 * 3
    assert [t.training.warmup for t in walked[:3]] == [0, 0, 5]
    assert {(t.model.patch, t.training.lr) for t in walked} == {*settings(space)}


def test_a_point_is_the_space_with_those_settings(tmp_path):
    """The same trial ids, so that what one has run the other need not run."""
    alone = load(tmp_path, AXES, "~axes", "model.patch=4", "training.lr=0.006")
    among = load(tmp_path, AXES).grounds[4]
    space = load(tmp_path, AXES)
    ids = [[c.trial(0, "confirm").id for c in s.grid()] for s in (alone, space.on(among))]
    assert ids[0] == ids[1] and points(alone) == [{}]


def test_a_grid_walks_all_points_with_the_first_seed_before_the_next(tmp_path):
    ran = drive(proposer(load(tmp_path, AXES), []), [])
    assert [t.pair_id for t in ran] == [0] * 18 + [1] * 18
    lrs = [t.training.lr for t in ran[:18]]
    assert lrs == [lr for _ in range(2) for lr in (3e-3, 6e-3, 1.2e-2) for _ in range(3)]


def test_tasks_are_an_axis_and_each_has_its_own_settings(tmp_path):
    space = load(tmp_path, TASKS)
    tasks = [(g.task.name, g.training.steps, g.model.depth) for g in space.grounds]
    assert [t[:2] for t in tasks] == [
        ("digits-nano", 100),
        ("digits-nano", 200),
        ("shapes-nano", 100),
        ("shapes-nano", 200),
    ]
    assert {t[2] for t in tasks[:2]} == {12} and {t[2] for t in tasks[2:]} == {8}
    assert space.grounds[2].task.extractor == "shapes-cnn"


def test_quick_is_each_tasks_own_and_fixes_the_axes_that_it_sets(tmp_path):
    quick = load_space(write(tmp_path, TASKS), [], SIGNATURES, quick=True)
    card = load_space(
        write(tmp_path, TASKS), ["task=shapes-nano", "~axes"], SIGNATURES, quick=True
    )
    assert [p["task"] for p in points(quick)] == ["digits-nano", "shapes-nano"]
    assert quick.grounds[1].training == card.ground.training
    given = ["axes.training.steps=[7,9]"]
    quick = load_space(write(tmp_path, TASKS), given, SIGNATURES, quick=True)
    assert [g.training.steps for g in quick.grounds] == [7, 9] * 2


@pytest.mark.parametrize(
    ("overrides", "left"),
    [
        (["training.lr=6e-3"], [(2, 6e-3), (4, 6e-3)]),
        (["training={lr: 0.001}"], [(2, 1e-3), (4, 1e-3)]),
        (["training.lr=6e-3", "model.patch=4"], [(4, 6e-3)]),
        (["axes.training.lr=[1e-3]"], [(2, 1e-3), (4, 1e-3)]),
        (
            ["axes.training.lr={low: 0.003, high: 0.009, step: 0.003}", "model.patch=2"],
            [(2, 0.003), (2, 0.006), (2, 0.009)],
        ),
        (["axes={training.lr: [0.5, 0.25]}"], [(2, 0.5), (2, 0.25)]),
        (["axes.model.patch=null", "training.lr=1e-3"], [(2, 1e-3)]),
        (["~axes.training.lr"], [(2, 6e-3), (4, 6e-3)]),
    ],
)
def test_overrides_fix_an_axis_replace_it_or_take_it_away(tmp_path, overrides, left):
    space = load(tmp_path, AXES, *overrides)
    assert settings(space) == left
    for point, (_, lr) in zip(points(space), left, strict=True):
        assert point.get("training.lr", lr) == lr


def test_an_axis_of_the_file_may_be_a_range_and_stay_plain(tmp_path):
    text = "axes: {model.depth: {low: 2, high: 6, step: 2}}\nvariants: [{routing: add}]"
    depths = [g.model.depth for g in load(tmp_path, text).grounds]
    assert depths == [2, 4, 6] and {type(depth) for depth in depths} == {int}


MULTIPLES = {
    "axes={task: [digits-nano, deep-nano], training.steps: [0.5x, 4x]}": [250, 2000, 400, 3200],
    "axes={training.steps: [2x, 30]}": [1000, 30],
    "axes={training.steps: [1x, 500, 1.0x]}": [500],
    "axes={training.steps: .5x}": [250],
}


@pytest.mark.parametrize("override", MULTIPLES)
def test_an_axis_takes_multiples_of_what_each_task_sets(tmp_path, override):
    space = load(tmp_path, "variants: [{routing: add}]", override)
    steps = [ground.training.steps for ground in space.grounds]
    assert steps == [g.point["training.steps"] for g in space.grounds] == MULTIPLES[override]


def test_a_multiple_of_a_rate_is_a_plain_number(tmp_path):
    override = "axes={training.lr: [0.1x, 1x, 3x]}"
    space = load(tmp_path, "variants: [{routing: add}]", override)
    assert [g.training.lr for g in space.grounds] == [6e-4, 6e-3, 0.018]


BAD = {
    "axes.training.steps=[x2]": "axes: training.steps='x2': must be int",
    "axes.training.schedule=[2x]": "training.schedule=2x: must be one of",
    "axes.model.mlp_hidden=[2x]": "axes.model.mlp_hidden=2x: the task sets None, and no number",
    "axes.training.steps=[0x]": "training.steps=0: must be at least 1",
    "axes.model.path=[2]": "unknown axis 'model.path'; did you mean model.patch",
    "axes.trainin.lr=[1]": "unknown axis 'trainin.lr'; did you mean training.lr",
    "axes.evaluation.n_gen=[9]": "unknown axis 'evaluation.n_gen'; known: ",
    "axes.params.span=[2]": "unknown axis 'params.span'",
    "axes.training.repa.layer=[1]": "training.repa.layer is the same for all variants",
    "axes.training.checkpoints=[0.5]": "training.checkpoints is the same for all variants",
    "axes.training.keep_weights=[none,all]": "training.keep_weights is the same for all variants",
    "axes.model.size=[S]": "model.size is the same for all variants of a space; set it there",
    "axes.task=[digits-nan]": "unknown task 'digits-nan'; did you mean digits-nano",
    "axes.task=[3]": "axes.task=[3]: must name tasks, such as [digits-nano]",
    "axes.task=[]": "axes.task=[]: must name tasks",
    "axes.training.lr=[x]": "axes: training.lr='x': must be float",
    "axes.training.lr=[]": "axes: training.lr=[]: choices must not be empty",
    "axes.training.lr=[-1]": "training.lr=-1.0: must be positive",
    "axes.training.lr={low: 1, high: 2}": "axes.training.lr: an axis is walked; give its range a",
    "axes=3": "axes=3: must be a mapping",
    "axes.model.width=[30]": "model.width=30: must be a multiple of 4",
    "axes.training.warmup=[1]": "variants[1]: training.warmup is an axis of the space",
}


@pytest.mark.parametrize("override", BAD)
def test_a_bad_axis_is_one_helpful_line(tmp_path, override):
    with pytest.raises(BadInput) as refused:
        load(tmp_path, AXES, override)
    assert BAD[override] in str(refused.value) and "\n" not in str(refused.value)


def test_one_trial_has_no_axes():
    with pytest.raises(BadInput, match=r"axes\.training\.lr=.*has no effect on one trial"):
        load_trial("add", "digits-nano", ["axes.training.lr=[1]"], 0, SIGNATURES)


def test_what_takes_one_ground_says_how_to_get_it(tmp_path, run):
    with pytest.raises(BadInput, match=r"has 6 grounds, by model\.patch, training\.lr, .*fix"):
        _ = load(tmp_path, AXES).ground
    for verb in ("noise-floor", "sensitivity"):
        line = [verb, "--task", "digits-nano", "--dry-run", "axes.training.lr=[0.1,0.2]"]
        code, out, err = run(*line)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "2 grounds, by training.lr" in err and "such as training.lr=VALUE" in err


def test_a_search_is_one_of_each_ground(tmp_path):
    text = STUDY + "axes: {training.lr: [3e-3, 6e-3]}\n"
    rows: list[dict] = []
    ran = drive(proposer(load(tmp_path, text, "trials=3"), []), rows)
    by_lr = {lr: [t for t in ran if t.training.lr == lr] for lr in (3e-3, 6e-3)}
    for own in by_lr.values():
        assert len({t.config_hash for t in own if t.split == "search"}) == 3
        confirmed = [t for t in own if t.split == "confirm"]
        assert {t.pair_id for t in confirmed} == {100, 101, 102}
        assert "add" in {t.variant.routing for t in confirmed}
    again = proposer(load(tmp_path, text, "trials=3"), rows)
    assert drive(again, []) == [] and again.skipped == again.total == len(ran)


def test_a_search_draws_changes_of_the_backbone_and_the_recipe_too(tmp_path):
    text = """
    sampler: random
    trials: 6
    seeds: [0]
    confirm: {top: 1, seeds: [100]}
    variants:
      - {routing: add, training: {lr: {low: 1e-3, high: 1e-2, log: true}}, model: {depth: [2, 4]}}
    """
    rows: list[dict] = []
    first = drive(proposer(load(tmp_path, text), []), rows, limit=4)
    again = proposer(load(tmp_path, text), rows)
    rest = drive(again, rows)
    drawn = [t for t in first + rest if t.split == "search"]
    assert len({t.id for t in drawn}) == 6 and again.skipped == 4
    assert len({t.training.lr for t in drawn}) == 6
    assert all(1e-3 <= t.training.lr <= 1e-2 and t.model.depth in (2, 4) for t in drawn)


def test_a_dry_run_tells_the_points(tmp_path, run):
    plan = preview(write(tmp_path, AXES), out=tmp_path)
    assert (plan["total"], len(plan["grounds"]), len(plan["configurations"])) == (36, 6, 3)
    assert plan["grounds"][1] == {"model.patch": 2, "training.lr": 6e-3, "steps": 500}
    line = ["sweep", "--space", write(tmp_path, AXES), "--dry-run"]
    assert "each of these on 6 grounds:\n  model.patch=2, training.lr=0.003\n" in run(*line)[1]
    assert json.loads(run(*line, "--json")[1]) == plan


LABELS = {
    "{routing: add, training: {lr: 0.1}}": ["add [lr=0.1]"],
    "{routing: dar, params: {span: [1, 2]}, model: {depth: 2}}": [
        "dar (span=1) [depth=2]",
        "dar (span=2) [depth=2]",
    ],
    "{routing: dar, label: mine, params: {span: 1}, training: {lr: [0.1, 0.2]}}": [
        "mine [lr=0.1]",
        "mine [lr=0.2]",
    ],
}


@pytest.mark.parametrize("variant", LABELS)
def test_a_variant_is_labelled_by_what_it_changes(tmp_path, variant):
    space = load(tmp_path, f"variants: [{variant}]")
    assert [c.variant.label for c in space.grid()] == LABELS[variant]


REFUSED = {
    "training: {stps: 3}": "unknown training key 'stps'; did you mean steps",
    "training: {steps: 2.5}": "training.steps=2.5: must be int",
    "training: {steps: 0}": "training.steps=0: must be at least 1",
    "training: {lr: [0.1, -1]}": "training.lr=-1.0: must be positive",
    "training: {repa: {layer: 2}}": "training.repa is the same for all variants of a space",
    "training: {objective: repa}": "its encoder is that of the whole space",
    "training: 3": "training: must be a mapping, got 3",
    "training: {timeout_s: 9}": "training.timeout_s is the same for all variants of a space",
    "model: {size: S}": "model.size is the same for all variants",
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_bad_change_of_the_recipe_is_refused_by_its_place(tmp_path, change):
    with pytest.raises(BadInput) as refused:
        load(tmp_path, f"variants: [{{routing: dar}}, {{routing: add, {change}}}]")
    assert "variants[1]: " in str(refused.value) and REFUSED[change] in str(refused.value)
    assert "\n" not in str(refused.value)
