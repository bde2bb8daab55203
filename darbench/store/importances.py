"""What mattered in the searches of a leaderboard, in importances.json beside its ledger.

It can be worked out again, so that a file which cannot be read is as none.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from darbench.files import replacing
from darbench.records.canonical import canonical_json

FILE = "importances.json"


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much each parameter of a variant mattered for the metric that ranks."""

    variant: str
    trials: int  # configurations of it that finished
    shares: Mapping[str, float] | None  # by parameter, 1 in all; None for a `reason`
    chance: Mapping[str, float] = field(default_factory=dict)  # the same with values shuffled
    reason: str = ""


def write(folder: Path, found: Mapping[str, Sequence[Importance]]) -> None:
    """Keep what was found at each point of the axes, by `point_key`; other points keep theirs."""
    if not found:
        return
    kept = {key: [asdict(each) for each in own] for key, own in {**read(folder), **found}.items()}
    with replacing(folder / FILE) as partial:
        partial.write_text(json.dumps(kept, indent=1, allow_nan=False))


def read(folder: Path) -> dict[str, list[Importance]]:
    """What is kept in a folder, by point; of what is no importance nothing."""
    try:
        held = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {key: [*map(_importance, own)] for key, own in held.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}


def point_key(point: Mapping[str, Any]) -> str:
    return canonical_json(dict(point))


def _importance(held: Mapping[str, Any]) -> Importance:
    """Read one; ValueError for what none can be."""
    shares, reason = held["shares"], held["reason"]
    if (shares is None) != bool(reason):
        raise ValueError("either shares or the reason why there are none")
    return Importance(
        variant=str(held["variant"]),
        trials=int(held["trials"]),
        shares=None if shares is None else _fractions(shares),
        chance=_fractions(held["chance"]),
        reason=str(reason),
    )


def _fractions(held: Mapping[str, Any]) -> dict[str, float]:
    values = {str(name): float(value) for name, value in held.items()}
    if not all(math.isfinite(value) and 0 <= value <= 1 + 1e-9 for value in values.values()):
        raise ValueError("shares lie between 0 and 1")
    return values
