"""Hours before anything runs: those of a card, by training FLOPs at other budgets."""

import json
import os
from dataclasses import replace

import pytest

from darbench.cli.texts import preview_text
from darbench.data import kind
from darbench.search.hours import Hours, expected
from darbench.search.sweep import preview
from darbench.trial.cost import add_step_flops
from tests.make.spaces import load, write

CARD = {"digits-nano": 0.014, "shapes-nano": 0.019}
SPACE = "seeds: [0, 1, 2]\nvariants: [{routing: add}, {routing: dar}]\n"
COARSE = SPACE + "coarse: {seeds: [7, 8]}\naxes: {model.patch: [2, 4]}\n"


def hours(folder, *overrides: str, text: str = SPACE) -> float:
    return expected(load(folder, text, *overrides).grounds).trial


def test_at_a_tasks_own_budget_a_trial_takes_what_its_card_says(tmp_path):
    for task, own in CARD.items():
        assert hours(tmp_path, f"task={task}") == pytest.approx(own)


def test_another_budget_scales_by_training_flops(tmp_path):
    card = CARD["digits-nano"]
    assert hours(tmp_path, "training.steps=2000") == pytest.approx(4 * card)
    narrow, usual = (load(tmp_path, SPACE, *o) for o in (["model.width=16"], []))
    flops = [
        add_step_flops(next(s.grid()).trial(0, "confirm"), kind("digits")) for s in (narrow, usual)
    ]
    assert hours(tmp_path, "model.width=16") == pytest.approx(card * flops[0] / flops[1])
    assert hours(tmp_path, "training.batch=32", "training.lr=1e-3") == pytest.approx(card / 2)


def test_grounds_have_their_mean_and_an_encoder_is_not_loaded(tmp_path):
    axes = "axes={task: [digits-nano, shapes-nano], training.steps: [1x, 3x]}"
    assert hours(tmp_path, axes) == pytest.approx(2 * sum(CARD.values()) / 2)
    repa = ["training.objective=repa", "training.repa.encoder=digits-cnn"]
    assert hours(tmp_path, *repa) == pytest.approx(CARD["digits-nano"])


def test_a_task_without_hours_tells_none_and_one_of_the_users_its_own(tmp_path):
    usual = load(tmp_path, SPACE, "task.name=mine", "training.steps=7").ground
    none, own = (replace(usual, task=replace(usual.task, hours=h)) for h in ({}, {"mine": 2.0}))
    assert expected([none]) is None and expected([own, none]) is None
    assert expected([own]) == Hours(trial=2.0, hardware=("mine",))
    plan = preview(write(tmp_path, SPACE), out=tmp_path)
    assert " h on " in preview_text(plan) and " h on " not in preview_text(plan | {"hours": None})


def test_a_dry_run_says_the_hours_and_with_a_coarse_look_from_where_to_where(tmp_path, run):
    told = preview(write(tmp_path, SPACE), out=tmp_path, workers=2)["hours"]
    assert told["least"] == told["most"] == pytest.approx(6 * CARD["digits-nano"] / 2)
    space = write(tmp_path, COARSE)
    plan = preview(space, out=tmp_path, workers=2)
    assert plan["coarse"] == {"seeds": [7, 8], "trials": 8} and plan["total"] == 8 + 12
    assert plan["hours"]["most"] / plan["hours"]["least"] == pytest.approx(20 / 8)
    line = ["sweep", "--space", space, "--dry-run", "--workers", "2"]
    text = run(*line)[1]
    assert json.loads(run(*line, "--json")[1]) == plan
    assert "every ground first on seeds [7, 8], 8 of the trials" in text
    least, most = (f"{plan['hours'][end]:.2g}" for end in ("least", "most"))
    assert f"about {least} to {most} h on 2 workers (from the cards: one core of an AMD" in text
    cores = preview(space, out=tmp_path)["hours"]["workers"]
    assert 1 <= cores <= len(os.sched_getaffinity(0))


@pytest.mark.slow
def test_a_night_of_regimes_takes_ten_hours_on_two_cores_in_the_middle(tmp_path):
    found = preview("regimes", out=tmp_path, workers=2)["hours"]
    assert (found["least"] + found["most"]) / 2 == pytest.approx(10, abs=1)
