"""The picture of a section: the learning curves of its ranking metric, without any script.

It stands where plotly draws the same curves once the figure comes into view, so its margins are
those of darbench.board.figures. Texts and colours of axes come from the page's style sheet.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from darbench.board.cells import power
from darbench.board.figures import HEIGHT, MARGIN
from darbench.pages.colours import Style

WIDTH = 640
_DASHES = {"solid": "", "dash": "9 6", "dot": "2 4", "dashdot": "9 4 2 4"}
Points = Mapping[str, list[dict[str, Any]]]  # rows of `curve_table`, by entry


@dataclass(frozen=True, kw_only=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Line:
    entry: str
    path: str
    colour: str
    dashes: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Lines and ticks in the units of the view box, WIDTH times HEIGHT."""

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    budget: float | None
    left: int = MARGIN["l"]
    right: int = WIDTH - MARGIN["r"]
    top: int = MARGIN["t"]
    bottom: int = HEIGHT - MARGIN["b"]
    width: int = WIDTH
    height: int = HEIGHT


def picture(points: Points, budget: float | None, styles: Mapping[str, Style]) -> Picture:
    """Draw means over training FLOPs, both logarithmic; dotted stands the budget."""
    means = [(p["train_flops"], p["mean"]) for curve in points.values() for p in curve]
    flops, values = ([*column] for column in zip(*means, strict=True))
    x = _scale([*flops, *filter(None, [budget])], MARGIN["l"], WIDTH - MARGIN["r"])
    y = _scale(values, HEIGHT - MARGIN["b"], MARGIN["t"])
    round_values = _round_values(min(values), max(values))
    halvings = [(budget or max(flops)) / 2**k for k in range(6)]
    return Picture(
        x_ticks=[Tick(at=x(f), text=power(f)) for f in halvings if f >= min(flops) * 0.999],
        y_ticks=[Tick(at=y(v), text=f"{v:.6g}") for v in round_values],
        lines=[_line(entry, curve, x, y, styles[entry]) for entry, curve in points.items()],
        budget=None if budget is None else x(budget),
    )


def _line(entry: str, curve: list[dict[str, Any]], x: Callable, y: Callable, style: Style) -> Line:
    places = [f"{x(p['train_flops']):.1f} {y(p['mean']):.1f}" for p in curve]
    # A line of one point has no length: round caps show it as a dot.
    path = "M" + "L".join(places if len(places) > 1 else places * 2)
    return Line(entry=entry, path=path, colour=style.colour, dashes=_DASHES[style.dash])


def _scale(values: Iterable[float], start: float, end: float) -> Callable[[float], float]:
    """A logarithmic scale from start to end, with a margin of 4 % on either side."""
    logs = [math.log(value) for value in values]
    low, high = min(logs), max(logs)
    span = (high - low) or 1.0
    return lambda value: round(
        start + (end - start) * (0.04 + 0.92 * (math.log(value) - low) / span), 1
    )


def _round_values(low: float, high: float) -> list[float]:
    """Between three and eight round values from low to high; both ends where they are one."""
    if high <= low * (1 + 1e-9):
        return [low]
    unit = 10 ** math.floor(math.log10(high - low))
    steps = [unit / 10, unit / 5, unit / 2, unit, 2 * unit]
    step = next(s for s in steps if math.floor(high / s) - math.ceil(low / s) < 8)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
