"""How numbers of a leaderboard are written and drawn. A missing value is an en dash."""

import base64
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darbench.analysis.effects import SIGNIFICANT

if TYPE_CHECKING:  # a terminal writes numbers too, and needs no tables
    from darbench.board.entry_row import EntryRow, Standing

NO_VALUE = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits, trailing zeros kept, no exponent where it reads worse."""
    if value is None:
        return NO_VALUE
    text = f"{value:#.{digits}g}"
    return (text if "e" in text else text.rstrip(".")).replace("-", "−")


def count(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:,.0f}"


def percent(fraction: float | None, signed: bool = True, digits: int = 1) -> str:
    if fraction is None:
        return NO_VALUE
    rounded = round(100 * fraction, digits) or 0.0  # zero has no sign
    sign = "+" if signed and rounded > 0 else ""
    return f"{sign}{rounded:.{digits}f} %".replace("-", "−")


def chance(probability: float | None) -> str:
    """A probability in whole percent; one that is not certain is not written as if it were."""
    if probability is None:
        return NO_VALUE
    rounded = round(100 * probability)
    return {0: "< 1 %", 100: "> 99 %"}.get(rounded, f"{rounded} %")


def interval(low: float, high: float, digits: int = 1) -> str:
    """The interval between two fractions, in percent."""
    ends = (percent(end, digits=digits) for end in (low, high))
    return f"[{', '.join(ends)}]".replace(" %", "") + " %"


def digits(effect: float, low: float | None, high: float | None, least: int = 1) -> int:
    """The decimals with which an interval that leaves out 0, in percent, is seen to do so."""
    if low is None or low <= 0 <= high:
        return least
    ends = (effect, low, high)
    shown = (d for d in range(least, 12) if all(round(100 * end, d) for end in ends))
    return next(shown, least)


def power(value: float | None) -> str:
    """A large number such as 1.23e13, as 1.23 × 10¹³."""
    if value is None:
        return "unknown"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def p_value(p: float | None) -> str:
    if p is None:
        return ""
    if p < 0.001:
        return "p < 0.001"
    # 0.0497 is coloured, so it is not written as 0.05.
    texts = (f"{p:.{digits}g}" for digits in range(2, 18))
    return "p = " + next(t for t in texts if (float(t) < SIGNIFICANT) == (p < SIGNIFICANT))


def verdict(row: "EntryRow", metric: str) -> str:
    """`better` or `worse` if a ranked entry differs after the correction, otherwise `even`."""
    standing = row.metrics[metric]
    if row.rank is None or standing.p_adjusted is None or standing.p_adjusted >= SIGNIFICANT:
        return "even"
    return "better" if standing.effect < 0 else "worse"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The horizontal positions of the marks that draw an interval, on a canvas 100 wide."""

    mean: float
    low: float
    high: float
    cut: tuple[bool, bool]  # whether it goes on beyond the left edge, and the right


def interval_bar(standing: "Standing", reach: float) -> Bar | None:
    """The marks of an effect: 0 lies in the middle, plus and minus `reach` at the edges.

    An interval that goes further is cut there; an effect without one is drawn as its mean.
    """
    if standing.effect is None or not reach:
        return None
    ends = (standing.effect, standing.low, standing.high)
    mean, low, high = (standing.effect if end is None else end for end in ends)
    cut = low < -reach, high > reach
    return Bar(mean=_x(mean / reach), low=_x(low / reach), high=_x(high / reach), cut=cut)


def _x(share: float) -> float:
    """The horizontal position of a share of `reach`, from -1 to 1."""
    return round(50 + 46 * max(-1.0, min(1.0, share)), 2)


def bar_reach(rows: Iterable["EntryRow"], metric: str) -> float:
    """The scale of a section's interval drawings, by what is ranked if anything is.

    It is the widest end, but at most three times the largest effect, so that neither one uncertain
    entry nor a control that is far off flattens the others.
    """
    current = [row for row in rows if not row.stale]
    compared = [row for row in current if row.rank is not None and not row.baseline] or current
    standings = [row.metrics[metric] for row in compared]
    ends = [e for s in standings for e in (s.effect, s.low, s.high) if e is not None]
    widest = max((abs(end) for end in ends if math.isfinite(end)), default=0.0)
    largest = max((abs(s.effect) for s in standings if s.effect is not None), default=0.0)
    return min(widest, 3 * largest) if largest else widest


def picture(path: Path) -> str | None:
    """Return a PNG as a data: URI, or None where there is no such file."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        return None
