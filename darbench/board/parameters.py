"""What the entries of a leaderboard vary beside their routing: its parameters, backbone, recipe.

A parameter of a routing belongs to that routing alone: `dar.span` is not the span of another.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from darbench.board.entry_row import EntryRow

ROUTING = "routing"
MOST_LEVELS = 8  # numbers of more values stand in ranges of about equally many of them
_RANGES = 6
_LAST = ("model", "training")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter, and where on it every row of a leaderboard stands.

    `levels` are its values as texts in order, or ranges of them; `at` holds a level's place.
    """

    title: str
    values: tuple[Any, ...]  # numbers, or texts; None where a row has no such parameter
    levels: tuple[str, ...]
    at: tuple[int | None, ...]

    @property
    def name(self) -> str:
        """The name of its column, without the signs by which an address is divided."""
        return quote(self.title, safe=". ")

    @property
    def numeric(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


def varied(rows: Sequence[EntryRow]) -> tuple[Parameter, ...]:
    """The routing, and what has two values or more among the rows that are compared; or nothing.

    First come the parameters of the first routing, and so on; then those of backbone and recipe.
    """
    said = [_said(row) for row in rows]
    counted = [own for own, row in zip(said, rows, strict=True) if _is_compared(row)]
    parameters = (
        _parameter(name, [own.get(name) for own in said])
        for name in _in_family_order(counted)
        if len({_text(own[name]) for own in counted if name in own}) > 1
    )
    found = [each for each in parameters if len(each.levels) > 1]
    return (_parameter(ROUTING, [row.routing for row in rows]), *found) if found else ()


def chosen(parameters: Sequence[Parameter]) -> tuple[int, int]:
    """The places of the two that a heat map shows unasked: they fill the most of its cells."""
    pairs = [(i, j) for i in range(len(parameters)) for j in range(i + 1, len(parameters))]

    def worth(pair: tuple[int, int]) -> tuple[int, int]:
        both = [*zip(*(parameters[k].at for k in pair), strict=True)]
        cells = {cell for cell in both if None not in cell}
        wide = all(len({cell[k] for cell in cells}) > 1 for k in (0, 1))
        return (len(cells), -pair[0]) if wide else (0, -pair[0])

    x, y = max([pair for pair in pairs if pair[0]] or pairs, key=worth)
    return x, y


def _is_compared(row: EntryRow) -> bool:
    return not row.stale and not row.control and not row.baseline


def _said(row: EntryRow) -> dict[str, Any]:
    """All that a row's configuration says of its routing, backbone and recipe, by title."""
    config = json.loads(row.config_json)
    parts = {row.routing: json.loads(row.params_json)}
    parts |= {part: config[part] for part in _LAST}
    return {f"{part}.{name}": value for part, own in parts.items() for name, value in own.items()}


def _in_family_order(said: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for own in said for name in own)
    parts = dict.fromkeys(name.split(".")[0] for name in names)
    order = [*(part for part in parts if part not in _LAST), *_LAST]
    return sorted(names, key=lambda name: order.index(name.split(".")[0]))


def _parameter(title: str, values: Sequence[Any]) -> Parameter:
    given = [value for value in values if value is not None]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in given)
    told = [v if v is None or numeric else _text(v) for v in values]
    ordered = sorted({value for value in told if value is not None})
    groups = _ranges(ordered) if numeric else [[value] for value in ordered]
    place = {value: at for at, group in enumerate(groups) for value in group}
    levels = (" to ".join(dict.fromkeys(map(_text, (g[0], g[-1])))) for g in groups)
    return Parameter(
        title=title,
        values=tuple(told),
        levels=tuple(levels),
        at=tuple(None if value is None else place[value] for value in told),
    )


def _ranges(values: Sequence[float]) -> list[list[float]]:
    """The values one by one, or where they are many in ranges of about equally many."""
    if len(values) <= MOST_LEVELS:
        return [[value] for value in values]
    return [[*map(float, part)] for part in np.array_split(np.array(values, float), _RANGES)]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value or '""'  # an empty text would be no end of a range
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)
