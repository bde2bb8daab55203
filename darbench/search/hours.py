"""The hours of a trial, from the cards of tasks: what a sweep takes, before anything runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from darbench.cache import remembered
from darbench.data import kind
from darbench.records.settings import Task, Training
from darbench.records.trial import Trial, Variant
from darbench.search.compose import compose_trial
from darbench.search.files import tasks_folder
from darbench.search.ground import Ground


@dataclass(frozen=True, kw_only=True)
class Hours:
    """The hours of a trial, as a mean over grounds, and the hardware that the cards name."""

    trial: float
    hardware: tuple[str, ...]


def card_hours(task: Task) -> tuple[str, float] | None:
    """Return the first hardware on a task's card, with the hours of a trial of `add` there."""
    return next(iter(task.hours.items()), None)


def expected(grounds: Sequence[Ground]) -> Hours | None:
    """Return the hours of a trial on these grounds; None where a card of their tasks has none.

    A trial of another budget than the card's takes as much longer as it trains more FLOPs. All
    variants train as many; what evaluation takes is not scaled apart.
    """
    timed = [card_hours(ground.task) for ground in grounds]
    if None in timed:
        return None
    budgets, usual = _budgets(grounds), _budgets(_cards(grounds))
    hours = [own * a / b for (_, own), a, b in zip(timed, budgets, usual, strict=True)]
    hardware = tuple(dict.fromkeys(where for where, _ in timed))
    return Hours(trial=sum(hours) / len(hours), hardware=hardware)


def _cards(grounds: Sequence[Ground]) -> list[Ground]:
    """The ground as the card of its task has it, for each; its own for a task that ships not."""
    shipped = {path.stem for path in tasks_folder().glob("*.yaml")}
    names = {ground.task.name for ground in grounds} & shipped
    cards = {name: Ground.of(compose_trial("add", name)["grounds"][0]) for name in sorted(names)}
    return [cards.get(ground.task.name, ground) for ground in grounds]


def _budgets(grounds: Sequence[Ground]) -> list[float]:
    """The training FLOPs of each ground, without those of an encoder; kept on disk by step."""
    adds = [_add(ground) for ground in grounds]
    keys = [[add.task.data, asdict(add.model), add.training.batch] for add in adds]
    alone = [keys.index(key) for key in keys]
    several = sorted({*alone})
    flops = remembered(
        "step-flops", [keys[i] for i in several], lambda: [_step_flops(adds[i]) for i in several]
    )
    by_first = dict(zip(several, flops, strict=True))
    return [add.training.steps * by_first[i] for add, i in zip(adds, alone, strict=True)]


def _add(ground: Ground) -> Trial:
    """A trial of `add` that predicts velocities, for no encoder has to be loaded then."""
    parts: dict[str, Any] = {k: getattr(ground, k) for k in ("task", "model", "evaluation")}
    training = replace(ground.training, objective="velocity", repa=Training().repa)
    return Trial(**parts, training=training, variant=Variant(routing="add"), pair_id=0)


def _step_flops(add: Trial) -> float:
    from darbench.trial.cost import add_step_flops  # imports torch

    return add_step_flops(add, kind(add.task.data))
