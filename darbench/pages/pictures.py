"""The pictures of diagnoses: what scripts/diagnosis.js reads of every entry, in a room."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from darbench.pages import arrays as a
from darbench.pages.colours import Style
from darbench.pages.figure import BEYOND, Figure, shown
from darbench.pages.inert import packed, packed_bytes
from darbench.pages.quantised import COARSE, FINE, quantised

ROOM = 130_000  # characters that the pictures on a board take at most; a page is to be mailed
_SITES = 24  # rows of a map on a board, or up to twice as many: of deeper models every n-th
_APART = 2  # maps on a board: every other time


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An entry as it is drawn, and its trials, of which the table holds diagnoses."""

    name: str
    title: str
    style: Style
    baseline: bool  # an `add`, which others are held against
    trials: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The section of a page that shows the diagnoses of several entries."""

    id: str  # its anchor
    title: str
    subjects: list[Subject]  # whose pictures are in the page
    beside: list[Subject]  # for which it has no room
    figures: list[Figure]
    times: list[float]
    weighs: bool  # whether an entry has softmax weights
    data: str  # all but the numbers, packed
    packs: list[str]  # the numbers of each subject, packed

    @property
    def first(self) -> Subject:
        """Whose maps are drawn unasked: the first but `add`, whose maps are all ones."""
        return next((each for each in self.subjects if not each.baseline), self.subjects[0])


class _Axes(dict[tuple, int]):
    """Axes are told once: many arrays share them."""

    def __missing__(self, along: tuple) -> int:
        return self.setdefault(along, len(self))


def pictures(
    key: str,
    title: str,
    subjects: Sequence[Subject],
    table_of: Callable[[Collection[str]], pl.DataFrame],
    room: int | None = None,
) -> Pictures:
    """The pictures of the first subjects, in `room` characters if there is one; others lie beside.

    table_of: the rows of some trials. With a room, maps are of every other time and in steps of
    1/254 of their range, everything else in steps of 1/65534, and what no board shows is left out.
    """
    axes, entries, packs, times = _Axes(), [], [], []
    for subject in subjects:
        found = dict(a.arrays(table_of(subject.trials)))
        metas, data = _written(subject, found, axes, small=room is not None)
        pack = packed_bytes(data)
        if room is not None and sum(map(len, packs)) + len(pack) > room:
            break
        packs.append(pack)
        entries.append(_told(subject) | {"arrays": metas})
        times = times or next((each.axes["t"] for each in found.values() if "t" in each.axes), [])
    names = {meta["name"] for entry in entries for meta in entry["arrays"]}
    held = {"axes": [*axes], "entries": entries}
    return Pictures(
        id=key,
        title=title,
        subjects=[*subjects[: len(packs)]],
        beside=[*subjects[len(packs) :]],
        figures=shown(names),
        times=times,
        weighs="softmax_weights" in names,
        data=packed(json.dumps(held, ensure_ascii=False, allow_nan=False)),
        packs=packs,
    )


def _told(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.name,
        "title": subject.title,
        "style": subject.style._asdict(),
        "baseline": subject.baseline,
        "seeds": len(subject.trials),
    }


def _written(
    subject: Subject, found: dict[str, a.Array], axes: _Axes, small: bool
) -> tuple[list[dict[str, Any]], bytes]:
    """What is told of each array, and the codes of all of them, one after the other."""
    metas, data = [], []
    for name, array in found.items():
        if (name == a.GATES and not subject.baseline) or (small and name in BEYOND):
            continue
        is_map = name in (*a.MAPS, a.GATES)
        array = _thinned(array) if is_map and small else array
        values = np.log(array.values) if array.log else array.values
        top = COARSE if is_map and small else FINE
        for what, each in (("values", values), ("spread", None if is_map else array.spread)):
            if each is not None:
                codes = quantised(each, top)
                data.append(codes.data)
                along = [[axis, axes[tuple(array.axes[axis])]] for axis in array.axes]
                told = {"name": name, "what": what, "axes": along, "top": top, "log": array.log}
                metas.append(told | {"low": codes.low, "high": codes.high})
    return metas, b"".join(data)


def _thinned(array: a.Array) -> a.Array:
    """Every other time, and of many sites every n-th, the last included."""
    apart = max(1, (len(array.axes["k"]) - 1) // _SITES)
    sites = [*range(len(array.axes["k"]) - 1, -1, -apart)][::-1]
    values = array.values[::_APART][:, sites]
    axes = array.axes | {
        "t": array.axes["t"][::_APART],
        "k": [array.axes["k"][site] for site in sites],
    }
    return array._replace(values=values, axes=axes)
