"""The shipped tasks say what they are meant to say, with none of the data at hand."""

import math
import re
from dataclasses import asdict, replace

import pytest
import torch
import yaml

from darbench.commands.card import Card, hours_text, rate_text
from darbench.data import kind, published
from darbench.flow.sampling import make_sampler
from darbench.flow.transport import DEFAULT
from darbench.records.protocol import protocol_hash
from darbench.records.settings import Evaluation, Stochastic, Training
from darbench.search.files import cards, tasks_folder
from darbench.trial.cost import evaluations

DIAL = {"1_8": 1 / 8, "1_4": 1 / 4, "1_2": 1 / 2, "1": 1, "2": 2}
NAMES = sorted(
    [
        *(f"burden-{data}-{burden}" for data in ("shapes", "photos") for burden in DIAL),
        "cifar10-small",
        "deep-nano",
        "digits-micro",
        "digits-nano",
        "fashion-nano",
        "imagenet256-b2",
        "imagenet256-xl2",
        "photos-nano",
        "shapes-nano",
    ]
)


@pytest.fixture(scope="module")
def of():
    """A task's card, with none of the data at hand."""
    with pytest.MonkeyPatch.context() as patch:
        for each in published():
            patch.delenv(each.variable, raising=False)
        made = {name: Card.of(name) for name in NAMES}
    return made.__getitem__


def test_these_tasks_ship():
    assert list(cards(tasks_folder())) == NAMES


@pytest.mark.parametrize("data", ["shapes", "photos"])
@pytest.mark.parametrize("burden", DIAL)
def test_the_burden_is_dialled_at_one_budget_and_one_number_of_tokens(of, data, burden):
    card, middle = of(f"burden-{data}-{burden}"), of(f"burden-{data}-1")
    channels, side, _ = kind(card.trial.task.data).shape
    model = card.trial.model
    assert channels * model.patch**2 / model.width == DIAL[burden]
    assert (side // model.patch) ** 2 == 16 and (model.depth, model.width // model.heads) == (
        12,
        12,
    )
    assert card.budget == pytest.approx(middle.budget, rel=0.002)
    assert middle.trial.training.steps == 1000


PAPER = {  # arXiv:2605.20708, and the official SiT code where it says nothing
    "model": {
        "depth": 28,
        "width": 1152,
        "heads": 16,
        "patch": 2,
        "size": "XL",
        "mlp_ratio": 4.0,
        "learn_sigma": True,
        "zero_t_embed": False,
    },
    "training": {
        "steps": 600_000,
        "batch": 1024,
        "lr": 1e-4,
        "weight_decay": 0.0,
        "warmup": 0,
        "ema": 0.9999,
        "label_dropout": 0.1,
        "objective": "velocity",
        "path": "Linear",
        "weighting": "none",
        "precision": "bfloat16",
    },
    "evaluation": {
        "n_gen": 50_000,
        "sampler": "euler_maruyama",
        "sampler_steps": 250,
        "guidance": 1.5,
        "sde": {"form": "sigma", "norm": 1.0, "last_step": "Mean", "last_step_size": 0.04},
    },
}


@pytest.mark.parametrize("part", PAPER)
def test_imagenet256_xl2_is_the_papers_recipe(of, part):
    found = asdict(getattr(of("imagenet256-xl2").trial, part))
    assert {key: found[key] for key in PAPER[part]} == PAPER[part]


def test_imagenet256_xl2_reports_where_the_paper_does(of):
    text = of("imagenet256-xl2").text()
    steps = [int(n.replace(",", "")) for n in re.findall(r"step ([\d,]+) of add", text)]
    assert steps == [100_000, 200_000, 300_000, 400_000, 500_000, 600_000]
    assert "675,129,632 parameters" in text and "FID of 50,000 samples" in text


def test_imagenet256_b2_differs_in_size_and_length_alone(of):
    b2, xl2 = of("imagenet256-b2").trial, of("imagenet256-xl2").trial
    assert (b2.model.depth, b2.model.width, b2.model.heads) == (12, 768, 12)
    same = {"steps": 0, "checkpoints": (), "timeout_s": 1.0, "micro_batch": None}
    assert asdict(b2.training) | same == asdict(xl2.training) | same
    assert replace(b2.evaluation, fd_from=0.5) == replace(xl2.evaluation, fd_from=0.5)
    assert (b2.task.data, b2.task.extractor) == (xl2.task.data, xl2.task.extractor)


def test_cifar10_small_is_a_sit_of_size_s_on_pixels_with_fid(of):
    card = of("cifar10-small")
    model = card.trial.model
    assert (model.depth, model.width, model.heads, model.patch) == (12, 384, 6, 2)
    assert card.data.shape == (3, 32, 32) and "FID of 20,000 samples" in card.text()


def test_digits_micro_is_digits_nano_at_ten_times_the_compute(of):
    micro, nano = of("digits-micro"), of("digits-nano")
    assert micro.budget / nano.budget == pytest.approx(10, rel=0.01)
    assert micro.trial.task.data_id == nano.trial.task.data_id
    same = {"sampler_steps": 1}
    assert asdict(micro.trial.evaluation) | same == asdict(nano.trial.evaluation) | same


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_complete_and_readable(of, name):
    card = of(name)
    text, task, data = card.text(), card.trial.task, card.data
    assert max(map(len, text.splitlines())) <= 99
    titles = [line.split()[0] for line in text.splitlines()[1:] if line[:1].strip()]
    assert titles[-9:] == [
        "Dataset",
        "Backbone",
        "Recipe",
        "Budget",
        "Checkpoints",
        "Evaluation",
        "Expected",
        "--quick",
        "Run",
    ]
    for part in (
        f"{task.name}, version {task.version}: ",
        f"{data.classes:,} classes",
        f"{data.n_train:,} to train",
        f"{card.budget:.3g} training FLOPs",
        hours_text(task.hours)[:20],
        *task.quick,
        f"darbench doctor {name}",
    ):
        assert part in text
    assert ("FID" in text) == (task.extractor == "inception-v3-compat")
    assert (data.variable in text) if data.files else ("not shipped" not in text)


def test_a_card_says_how_the_rate_goes(of):
    assert "0.006, constant, weight" in of("digits-nano").text()
    course = rate_text(Training(warmup=1000, schedule="cosine", decay=0.25))
    assert (
        course == "cosine fall to 0 over the last 0.25 of the budget after 1,000 steps of warm-up"
    )


@pytest.mark.parametrize("name", NAMES)
def test_hours_are_measured_or_computed_from_the_rate_they_name(of, name):
    card = of(name)
    assert card.trial.task.hours
    for where, hours in card.trial.task.hours.items():
        rates = re.search(r"estimated at (\d+) TFLOP/s in training and (\d+) in sampling", where)
        if rates:
            training, sampling = (1e12 * int(rate) for rate in rates.groups())
            seconds = card.budget / training + card.sampling / sampling
            assert hours == pytest.approx(seconds / 3600, rel=0.01)
        else:
            assert "core" in where and 0 < hours < 1
        assert 3600 * hours < card.trial.training.timeout_s


def test_sampling_is_counted_as_the_sampler_asks_for_velocities(of):
    """A SiT-XL/2 makes 119 GMAC of a forward (SiT, table 1): two for each of 250 steps, guided,
    at six checkpoints."""
    wanted = 6 * 50_000 * 250 * 2 * 2 * 118.64e9
    assert of("imagenet256-xl2").sampling == pytest.approx(wanted, rel=0.01)
    nano = of("digits-nano")
    forward = nano.step_flops / 3 / nano.trial.training.batch
    velocities = 2 * nano.trial.evaluation.n_gen * evaluations(nano.trial.evaluation)
    assert nano.sampling == pytest.approx(velocities * forward, rel=0.02)


def test_a_task_of_files_finds_them_by_the_variable_of_its_dataset():
    for name, card in cards(tasks_folder()).items():
        data = kind(card["task"]["data"])
        wanted = f"${{oc.env:{data.variable},''}}" if data.files else None
        assert card["task"].get("data_path") == wanted, name


def test_hours_are_no_part_of_any_identity(of):
    trial = of("cifar10-small").trial
    other = replace(trial, task=replace(trial.task, hours={}))
    assert (other.id, protocol_hash(other)) == (trial.id, protocol_hash(trial))


@pytest.mark.parametrize("sampler", ["euler", "heun", "euler_maruyama", "heun_sde"])
@pytest.mark.parametrize("last", ["Mean", "Tweedie", "Euler", "none"])
def test_evaluations_are_those_the_sampler_makes(sampler, last):
    sde = Stochastic(last_step=last) if sampler in ("euler_maruyama", "heun_sde") else Stochastic()
    asked = []

    def velocity(x, t):
        asked.append(t)
        return x

    e = Evaluation(sampler=sampler, sampler_steps=7, sde=sde)
    make_sampler(e, DEFAULT)(velocity, torch.ones(2, 1, 4, 4), lambda k: torch.zeros(2, 1, 4, 4))
    assert len(asked) == evaluations(e)


def test_every_card_says_in_a_comment_what_the_machine_cannot_check():
    """The comment says what the paper leaves open, and which figures cannot be the paper's."""
    text = (tasks_folder() / "imagenet256-xl2.yaml").read_text()
    comment = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert "leaves things open" in comment and "Differs here" in comment
    assert math.isclose(sum(yaml.safe_load(text)["training"]["checkpoints"]), 3.5)


def test_a_card_says_what_fdr_and_class_accuracy_are_measured_on_or_why_not(of):
    small, large = (" ".join(of(n).text().split()) for n in ("digits-nano", "imagenet256-xl2"))
    assert "FDr at 360 images of either set" in small
    assert "class accuracy by a classifier fitted to training images" in small
    assert "FDr none: samples and held-out images of the same labels are 2,048" in large
    assert "class accuracy none: its classifier learns pictures of at most" in large
