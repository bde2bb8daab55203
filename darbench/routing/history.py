"""History windows: which sources a reader over depth sees (DAR sec. 3; AttnRes sec. 3).

A window is two pure functions over a tuple of sources, which before the first site is (v_0,).
`grow(sources, source, site, span, sites)` returns what is kept after the sublayer of `site`
handed over `source`; `select(sources, site, span)` returns what the reader of `site` sees of it.
Sources are added with +, so that any type with a sum will do.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Sources = tuple[Any, ...]


def everything(sources: Sources, site: int, span: int) -> Sources:
    return sources


class Window(NamedTuple):
    grow: Callable[[Sources, Any, int, int, int], Sources]
    select: Callable[[Sources, int, int], Sources] = everything


def full(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """The window of all outputs: v_0 .. v_{l-1}."""
    return (*sources, source)


def window(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """The window of v_0 and the last `span` outputs."""
    return (sources[0], *(*sources[1:], source)[-span:])


def chunk_last(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """DAR's chunks of `span` sublayers: the last output of closed ones, all of the open one.

    The last chunk is never closed: the final reader sees its outputs one by one.
    """
    grown = (*sources, source)
    return (*grown[:-span], source) if _closes(site, span, sites) else grown


def chunk_sum(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """AttnRes' blocks: every chunk is the sum of its outputs, the open one of those so far."""
    opens = site % span == 0
    return (*sources, source) if opens else (*sources[:-1], sources[-1] + source)


def chunk_sum_raw(sources: Sources, source: Any, site: int, span: int, sites: int) -> Sources:
    """Chunks of which closed ones are sums; the open and the last one keep all outputs."""
    grown = (*sources, source)
    if not _closes(site, span, sites):
        return grown
    first, *others = grown[-span:]
    return (*grown[:-span], sum(others, start=first))


def every_span(sources: Sources, site: int, span: int) -> Sources:
    """The selection `dilated`: v_0, and v_{l-1}, v_{l-1-span}, ..., oldest first."""
    return (sources[0], *sources[site:0:-span][::-1])


def powers_of_two(sources: Sources, site: int, span: int) -> Sources:
    """The selection `log`: v_0, and v_{l-1}, v_{l-2}, v_{l-4}, v_{l-8}, ..., oldest first."""
    reader = site + 1
    ages = (2**j for j in range(reader.bit_length()))
    return (sources[0], *[sources[reader - age] for age in ages if age < reader][::-1])


def _closes(site: int, span: int, sites: int) -> bool:
    return (site + 1) % span == 0 and site + 1 < sites


WINDOWS: dict[str, Window] = {
    "full": Window(full),
    "chunk_last": Window(chunk_last),
    "chunk_sum": Window(chunk_sum),
    "chunk_sum_raw": Window(chunk_sum_raw),
    "window": Window(window),
    "dilated": Window(full, every_span),
    "log": Window(full, powers_of_two),
}


class Parts(tuple):
    """A stand-in for a sum of sublayer outputs: the indices that were added up."""

    def __add__(self, other: tuple) -> "Parts":
        return Parts(tuple(self) + tuple(other))


def source_sets(history: str, span: int, sites: int) -> list[tuple[Parts, ...]]:
    """The sources of each of the sites + 1 readers, as indices of the v_i that they sum up."""
    grow, select = WINDOWS[history]
    kept: Sources = (Parts((0,)),)
    sets = [select(kept, 0, span)]
    for site in range(sites):
        kept = grow(kept, Parts((site + 1,)), site, span, sites)
        sets.append(select(kept, site + 1, span))
    return sets


def partitions(history: str, span: int, sites: int) -> bool:
    """Whether the sources of every reader sum to v_0 + ... + v_{l-1}, each counted once."""
    sets = source_sets(history, span, sites)
    return all(sorted(sum(s, Parts())) == list(range(i + 1)) for i, s in enumerate(sets))


def sizes(history: str, span: int, sites: int) -> list[int]:
    """The number of sources of each of the sites + 1 readers."""
    return [len(sources) for sources in source_sets(history, span, sites)]


def additions(history: str, span: int, sites: int) -> int:
    """The number of additions of two sources in a pass."""
    count = 0

    class Counted(int):
        def __add__(self, other: int) -> "Counted":
            nonlocal count
            count += 1
            return self

    kept: Sources = (Counted(),)
    for site in range(sites):
        kept = WINDOWS[history].grow(kept, Counted(), site, span, sites)
    return count
