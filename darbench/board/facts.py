"""The facts of a section's protocol: how its numbers were measured, and at what budget."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from darbench.board import cells
from darbench.board.leaderboard import Leaderboard
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.scores.missing import UNCLASSIFIED, fdr_text
from darbench.records.setting import identity_defaults
from darbench.records.settings import Training

_TRAINING = ("steps", "checkpoints", "schedule")  # settings that the protocol does not hold


@dataclass(frozen=True, kw_only=True)
class Fact:
    name: str  # of the setting, where the fact is one
    value: str
    differs: bool  # whether another section of the same task has another value


def facts(boards: Sequence[Leaderboard]) -> list[list[Fact]]:
    """The facts of each section, in the order of the sections."""
    values = [_values(board) for board in boards]
    by_task: dict[str, list[dict[str, str]]] = {}
    for board, own in zip(boards, values, strict=True):
        by_task.setdefault(board.task, []).append(own)
    return [_facts(own, by_task[board.task]) for board, own in zip(boards, values, strict=True)]


def _facts(own: dict[str, str], of_task: list[dict[str, str]]) -> list[Fact]:
    """Every name that any section of the task has, with this section's value."""
    names = dict.fromkeys(name for values in of_task for name in values)
    return [
        Fact(
            name=name,
            value=own.get(name, cells.NO_VALUE),
            differs=len({values.get(name) for values in of_task}) > 1,
        )
        for name in names
    ]


def _values(board: Leaderboard) -> dict[str, str]:
    """The protocol of a section (empty where its rows lack it), its budget, training and axes."""
    values = {name: _text(value) for name, value in board.protocol.items()}
    values["reference images"] = _text(board.n_ref)
    values |= _score_facts(board)
    values["budget, training FLOPs"] = cells.power(board.budget_flops)
    trained = (json.loads(row.config_json)["training"] for row in board.rows)
    recipes = [identity_defaults(Training) | recipe for recipe in trained]
    for key in _TRAINING:
        texts = dict.fromkeys(_text(recipe[key]) for recipe in recipes)
        values[f"training.{key}"] = " or ".join(texts)
    return values | {name: _text(value) for name, value in board.point.items()}


def _score_facts(board: Leaderboard) -> dict[str, str]:
    """What is to be known of FDr and of the class accuracy; nothing in rows that are older."""
    if board.n_fdr is None:
        return {}
    names = [board.extractor, *board.protocol.get("evaluation.fdr_extractors", ())]
    features = max(extractor_kind(name).features for name in names)
    accuracy = board.val_class_accuracy
    return {
        "FDr": fdr_text(board.n_fdr, features),
        "class accuracy of held-out images": UNCLASSIFIED
        if accuracy is None
        else cells.percent(accuracy, signed=False),
    }


def _text(value: Any) -> str:
    if value is None:
        return cells.NO_VALUE
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
