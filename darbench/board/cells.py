"""How numbers of a leaderboard are written and drawn. A missing value is an en dash."""

import base64
import math
from pathlib import Path

from darbench.board.rank import Leaderboard

MISSING = "–"
SIGNIFICANT = 0.05
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


_FRECHET = {"fd": ("FID", "FD"), "fd_inf": ("FID-infinity", "FD-infinity"), "sfd": ("sFID", "sFD")}


def metric_name(metric: str, extractor: str) -> str:
    """A Frechet distance is called FID only in the features that FID is defined on."""
    if metric in _FRECHET:
        fid, other = _FRECHET[metric]
        return fid if extractor == "inception-v3-compat" else f"{other}({extractor})"
    return {"val_loss": "validation loss"}.get(metric, metric.replace("_", " "))


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits, trailing zeros kept, no exponent where it reads worse."""
    if value is None:
        return MISSING
    text = f"{value:#.{digits}g}"
    return (text if "e" in text else text.rstrip(".")).replace("-", "−")


def count(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"


def percent(fraction: float | None, signed: bool = True, digits: int = 1) -> str:
    if fraction is None:
        return MISSING
    rounded = round(100 * fraction, digits) or 0.0  # no sign for nothing
    sign = "+" if signed and rounded > 0 else ""
    return f"{sign}{rounded:.{digits}f} %".replace("-", "−")


def interval(low: float, high: float) -> str:
    """Of fractions, in percent."""
    return f"[{percent(low)}, {percent(high)}]".replace(" %", "") + " %"


def power(value: float | None) -> str:
    """1.23e13 as 1.23 × 10¹³."""
    if value is None:
        return "unknown"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def p_value(p: float | None) -> str:
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def verdict(row: dict, metric: str) -> str:
    """better or worse for a ranked entry whose difference outlives Holm's correction, or even."""
    p = row[f"{metric}_p_holm"]
    if row["rank"] is None or p is None or p >= SIGNIFICANT:
        return "even"
    return "better" if row[f"{metric}_effect"] < 0 else "worse"


def interval_bar(row: dict, metric: str, reach: float) -> dict[str, float] | None:
    """Positions of a small interval drawing on a 100 wide canvas, 0 in the middle, `reach` at
    the edges; an interval that goes further is cut there."""
    mean = row[f"{metric}_effect"]
    if mean is None or not reach:
        return None
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    ends = {
        "mean": mean,
        "low": mean if low is None else low,
        "high": mean if high is None else high,
    }
    return {k: round(50 + 46 * max(-1.0, min(1.0, v / reach)), 2) for k, v in ends.items()}


def bar_reach(board: Leaderboard, metric: str) -> float:
    """The scale of a section's interval drawings: the widest end, but at most three times the
    largest effect, so that one uncertain entry does not flatten the others."""
    columns = [f"{metric}_effect", f"{metric}_low", f"{metric}_high"]
    rows = board.frame.filter(~board.frame["stale"]).select(columns).rows()
    ends = [abs(v) for row in rows for v in row if v is not None and math.isfinite(v)]
    means = [abs(row[0]) for row in rows if row[0] is not None]
    widest, largest = max(ends, default=0.0), max(means, default=0.0)
    return min(widest, 3 * largest) if largest else widest


def picture(path: Path) -> str | None:
    """A PNG as a data: URI, or None where there is no such file."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        return None
