import pytest

from darbench.errors import BadInput
from darbench.search.compose import compose_space, compose_trial
from darbench.search.files import tasks_folder
from tests.make.spaces import write

VARIANTS = "variants: [{routing: add}]"


@pytest.mark.parametrize(
    ("override", "others", "why"),
    [
        ("trials=5", [], "has no effect on a grid"),
        ("confirm.top=1", [], "has no effect on a grid"),
        ("confirm={top: 1}", [], "has no effect on a grid"),
        ("evaluation.sampler_steps=9", ["evaluation.sampler=adaptive"], "`adaptive` chooses"),
    ],
)
def test_an_override_that_a_space_does_not_use_is_refused(tmp_path, override, others, why):
    space = write(tmp_path, VARIANTS)
    with pytest.raises(BadInput) as refused:
        compose_space(space, [override, *others])
    assert str(refused.value).startswith(f"{override}: ") and why in str(refused.value)


@pytest.mark.parametrize(
    "overrides",
    [
        ["trials=5", "confirm.top=1", "sampler=random"],
        ["sampler=tpe", "trials=5"],
        ["evaluation.sampler_steps=9"],
        ["evaluation.sampler=adaptive"],
    ],
)
def test_an_override_that_is_used_is_taken(tmp_path, overrides):
    compose_space(write(tmp_path, VARIANTS), overrides)


def test_what_a_file_or_a_short_form_says_without_effect_is_left_alone(tmp_path):
    space = write(tmp_path, f"trials: 9\nconfirm: {{top: 1}}\n{VARIANTS}")
    quick = compose_space(space, ["evaluation.sampler=adaptive"], quick=True)
    (ground,) = quick["grounds"]
    assert (quick["trials"], ground["evaluation"]["sampler_steps"]) == (9, 4)


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("seeds=[1,2]", "one trial has one; give --seed"),
        ("variants=[{routing: dar}]", "give --routing"),
        ("sampler=tpe", "has no effect on one trial"),
        ("trials=5", "has no effect on one trial"),
        ("confirm.top=0", "has no effect on one trial"),
        ("name=mine", "has no effect on one trial"),
        ("evaluation.sampler_steps=9", "`adaptive` chooses"),
    ],
)
def test_an_override_that_one_trial_does_not_use_is_refused(override, why):
    adaptive = ["evaluation.sampler=adaptive"] if "steps" in override else []
    with pytest.raises(BadInput) as refused:
        compose_trial("add", "digits-nano", [override, *adaptive])
    assert str(refused.value).startswith(f"{override}: ") and why in str(refused.value)


def test_the_short_form_of_a_task_without_one_is_refused(tmp_path):
    card = (tasks_folder() / "digits-nano.yaml").read_text().replace("digits-nano", "mine")
    start, end = card.index("  quick:"), card.index("# What must come out worse")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text(card[:start] + card[end:])
    space = write(tmp_path, VARIANTS)
    with pytest.raises(BadInput, match="--quick: task mine has no short form"):
        compose_space(space, ["task=mine"], quick=True)
    assert compose_space(space, ["task=mine"])["grounds"][0]["training"]["steps"] == 500
