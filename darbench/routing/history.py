"""History windows: which sources a reader over depth sees (DAR sec. 3; AttnRes sec. 3).

A window grows by one source at a time: `grow(sources, source, site, span, sites)` returns the
sources that the next reader sees after the sublayer of `site` handed over `source`. Before the
first, the only source is v_0. Sources are added with +, so that any type with a sum will do.
"""

from collections.abc import Callable
from typing import Any

Sources = tuple[Any, ...]
Grow = Callable[[Sources, Any, int, int, int], Sources]


def full(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """Everything so far: v_0 .. v_{l-1}."""
    return (*sources, source)


def window(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """v_0 and the last `span` outputs."""
    return (sources[0], *(*sources[1:], source)[-span:])


def chunk_last(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """DAR's chunks of `span` sublayers: a closed chunk is its last output; the open one is raw.

    The last chunk is never closed: the final reader sees its outputs one by one.
    """
    grown = (*sources, source)
    closes = (site + 1) % span == 0 and site + 1 < sites
    return (*grown[:-span], source) if closes else grown


def chunk_sum(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """AttnRes' blocks: a chunk is the sum of its outputs, while it is open the sum so far."""
    opens = site % span == 0
    return (*sources, source) if opens else (*sources[:-1], sources[-1] + source)


WINDOWS: dict[str, Grow] = {
    "full": full,
    "chunk_last": chunk_last,
    "chunk_sum": chunk_sum,
    "window": window,
}


def partitions(history: str, span: int, sites: int) -> bool:
    """Whether the sources of every reader sum to v_0 + ... + v_{l-1}, each counted once."""
    sources: Sources = (_Parts({0}),)
    for site in range(sites):
        source = _Parts({site + 1})
        sources = WINDOWS[history](sources, source, site, span, sites)
        parts = [part for source in sources for part in source]
        if sorted(parts) != list(range(site + 2)):
            return False
    return True


def sizes(history: str, span: int, sites: int) -> list[int]:
    """Number of sources of each of the sites + 1 readers."""
    sources: Sources = (0,)
    counted = [1]
    for site in range(sites):
        sources = WINDOWS[history](sources, 0, site, span, sites)
        counted.append(len(sources))
    return counted


class _Parts(frozenset):
    """The outputs a source is the sum of."""

    def __add__(self, other: frozenset) -> "_Parts":
        return _Parts(self | other)
