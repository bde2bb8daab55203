"""Halton's points, which fill a space evenly: of ranges, and of a search space."""

import math
from collections.abc import Iterator, Sequence
from itertools import count as counted
from typing import Any

from darbench.search.domains import Choices, Domain, Range
from darbench.search.variants import VariantSpec


def points(entries: Sequence[VariantSpec]) -> Iterator[dict[str, Any]]:
    """Yield the points of a search: a variant after the other, and each one's own sequence.

    A variant without a domain has one point. Without end where any has a domain.
    """
    for number in counted():
        drawn = [entry for entry in entries if entry.domains or number == 0]
        if not drawn:
            return
        for entry in drawn:
            (shares,) = halton(1, len(entry.domains), first=number)
            chosen = zip(entry.domains.items(), shares, strict=True)
            own = {f"{entry.name}/{key}": _of(domain, u) for (key, domain), u in chosen}
            yield {"variant": entry.name} | own


def halton(count: int, dimensions: int, first: int = 0) -> Iterator[Sequence[float]]:
    """Yield Halton's points from `first` on, without that which is a corner.

    They are plain fractions, whichever library draws them, so that trials keep their ids.
    """
    if not dimensions:
        return iter([()])
    from scipy.stats import qmc

    sequence = qmc.Halton(dimensions, scramble=False)
    sequence.fast_forward(1 + first)
    return iter(sequence.random(count).tolist())


def at(domain: Range, u: float) -> float:
    """The value at a share u of a range, to three digits of its scale."""
    if domain.step is not None:
        values = domain.grid()
        return values[min(int(u * len(values)), len(values) - 1)]
    if domain.integer and not domain.log:
        return domain.low + int(u * (domain.high - domain.low + 1))
    if domain.log:
        value = domain.low * (domain.high / domain.low) ** u
        value = float(f"{value:.3g}")
    else:
        width = domain.high - domain.low
        value = round(domain.low + u * width, 3 - math.floor(math.log10(width)))
    value = min(max(value, domain.low), domain.high)
    return round(value) if domain.integer else value


def _of(domain: Domain, u: float) -> Any:
    """The value at a share u of a domain; each of its choices has an equal share."""
    if isinstance(domain, Choices):
        return domain.values[int(u * len(domain.values))]
    return at(domain, u)
