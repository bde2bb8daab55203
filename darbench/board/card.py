"""The protocol card of a section: how its numbers were measured, and at what budget."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from darbench.board import cells
from darbench.board.rank import Leaderboard

_OF_THE_RECIPE = ("steps", "checkpoints")  # a training's, which are no part of the protocol


@dataclass(frozen=True, kw_only=True)
class Fact:
    name: str  # that of a setting, where it is one
    value: str
    differs: bool  # from another section of the same task


def cards(boards: Sequence[Leaderboard]) -> list[list[Fact]]:
    """The facts of each section, in the order of the sections."""
    known = [_facts(board) for board in boards]
    made = []
    for board, facts in zip(boards, known, strict=True):
        others = [f for b, f in zip(boards, known, strict=True) if b.task == board.task]
        made.append(
            [
                Fact(
                    name=name, value=facts.get(name, cells.MISSING), differs=_several(name, others)
                )
                for name in dict.fromkeys(key for other in others for key in other)
            ]
        )
    return made


def _several(name: str, cards: Iterable[dict[str, str]]) -> bool:
    return len({card.get(name) for card in cards}) > 1


def _facts(board: Leaderboard) -> dict[str, str]:
    """The protocol first; rows that were written before it was recorded have none of it."""
    facts = {name: _text(value) for name, value in board.protocol.items()}
    facts["reference images"] = _text(board.n_ref)
    facts["budget, training FLOPs"] = cells.power(board.budget_flops)
    recipes = [json.loads(text)["training"] for text in board.frame["config_json"]]
    for key in _OF_THE_RECIPE:
        values = dict.fromkeys(_text(recipe[key]) for recipe in recipes)
        facts[f"training.{key}"] = " or ".join(values)
    return facts


def _text(value: Any) -> str:
    if value is None:
        return cells.MISSING
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
