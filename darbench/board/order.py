"""Ranks, tiers and corrected p values of the entries of a section."""

import math
from collections.abc import Iterable
from dataclasses import replace

from darbench.analysis.effects import hochberg
from darbench.analysis.outcomes import Entry
from darbench.analysis.pairing import arithmetic_mark
from darbench.analysis.tiers import tiers
from darbench.board.entry_row import EntryRow
from darbench.board.marks import joined

Placed = tuple[EntryRow, Entry]


def number_tried(rows: Iterable[EntryRow]) -> int:
    """How many entries might have been ranked."""
    return sum(map(_counts, rows))


def placed(rows: list[EntryRow], entries: list[Entry], metric: str) -> list[Placed]:
    """Return rows and their entries, best first, with corrected p values, ranks and tiers."""
    pairs = zip(_corrected(rows, metric), entries, strict=True)
    ordered = sorted(pairs, key=lambda pair: _order(pair[0], metric))
    ranked = [(row, entry) for row, entry in ordered if row.score is not None]
    led = tiers((entry for _, entry in ranked), metric, number_tried(rows))
    numbered = [
        (replace(row, rank=place, tier=tier, mark=_mark(row, entry, leader)), entry)
        for place, ((row, _), (entry, tier, leader)) in enumerate(
            zip(ranked, led, strict=True), start=1
        )
    ]
    return numbered + ordered[len(ranked) :]


def _counts(row: EntryRow) -> bool:
    """Whether chance could have put the entry on top: it ran, or will, on seeds that rank.

    A control is no routing that might win: it has neither rank nor p value, so it is not counted.
    """
    return row.split != "search" and not row.control


def _corrected(rows: list[EntryRow], metric: str) -> list[EntryRow]:
    """Add Hochberg's correction over all variants of the section that were tried.

    Earlier versions of a routing count, for whoever edits until it wins picks among them; and as
    every version was looked at in its turn, that of k earlier ones is tested at 1 / (1 + k / 2) of
    the level, so that all false wins together stay below it however long the editing goes on:
    1 / 2 + 1 / 6 + 1 / 12 + ... = 1. What has no p value yet, or will have none, counts as 1: the
    family does not grow as a sweep goes on.
    """
    family = [_p_in_family(row, row.metrics[metric].p) for row in rows]
    return [
        replace(row, metrics={**row.metrics, metric: replace(row.metrics[metric], p_adjusted=p)})
        if row.score is not None and row.metrics[metric].p is not None
        else row
        for row, p in zip(rows, hochberg(family), strict=True)
    ]


def _p_in_family(row: EntryRow, p: float | None) -> float | None:
    if not _counts(row) or row.against in (None, row.entry):
        return None
    return 1.0 if p is None else min(1.0, (1 + row.versions / 2) * p)


def _order(row: EntryRow, rank_by: str) -> tuple:
    """A sort key: ranked entries by score, controls, then provisional, search-only, stale ones.

    A control that has not finished its seeds stands below the entries that have not.
    """
    waiting = row.seeds < row.seeds_declared
    group = (3 if waiting else 1) if row.control else 2 if row.score is None else 0
    group = 5 if row.stale else 4 if row.split == "search" else group
    value = row.metrics[rank_by].effect if row.score is None else row.score
    return group, math.inf if value is None else value, row.label, row.entry


def _mark(row: EntryRow, entry: Entry, leader: Entry) -> str:
    """The row's mark, also with whether other kernels computed the leader of its tier.

    An entry without a baseline, or led by another backbone, would not show it otherwise.
    """
    mark = arithmetic_mark(entry, leader)
    return row.mark if mark in row.mark else joined(row.mark, mark)
