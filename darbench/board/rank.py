"""From rows to leaderboards: one per task, protocol, budget and place, at matched compute.

Every entry is compared with the `add` entry of the same backbone, seed by seed, at exactly the
section's budget of training FLOPs. An entry has a score and a rank only when the seeds that its
own sweeps declared have finished; until then its provisional means are shown below the ranked.
"""

import json
from collections.abc import Collection
from dataclasses import replace

import polars as pl

from darbench.analysis.comparison import baseline, measured_alike, recipe, reference, score
from darbench.analysis.contrast import contrasts
from darbench.analysis.entries import entries
from darbench.analysis.outcomes import Entry
from darbench.analysis.proxies import correlations
from darbench.board.entry_row import EntryRow
from darbench.board.frames import curves, trials
from darbench.board.history import history
from darbench.board.leaderboard import Leaderboard
from darbench.board.marks import joined
from darbench.board.order import number_tried, placed
from darbench.board.places import by_place, is_left
from darbench.board.tracks import with_other_tracks
from darbench.board.tuning import tuning
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.tables import with_all_columns

NOTHING = Declared()
SECTION = ("task", "protocol_hash", "budget_flops")


def sections(frame: pl.DataFrame, declared: Declared = NOTHING) -> list[Leaderboard]:
    """Return a leaderboard per task, protocol, budget and declared place, largest budget first.

    Each is ranked by the metric that the last sweep of any of its configurations declared, or else
    by that of its latest row. The seeds an entry must have are those that sweeps declared for its
    configuration, and those of its rows; so a board that is built during a sweep does not rank
    entries on the seeds that happen to be done.
    """
    parts = [
        (order, _leaderboard(own, place, declared))
        for order, (place, part) in enumerate(by_place(with_all_columns(frame), declared))
        for own in part.partition_by(SECTION, maintain_order=True)
    ]

    def key(part: tuple[int, Leaderboard]) -> tuple:
        order, board = part
        return -(board.budget_flops or 0), board.task, board.protocol_hash, order

    return with_other_tracks([board for _, board in sorted(parts, key=key)])


def rank(frame: pl.DataFrame, declared: Declared = NOTHING) -> Leaderboard:
    """Return the leaderboard of rows that form a single section; arguments as for `sections`."""
    boards = sections(frame, declared)
    if len(boards) != 1:
        raise BadInput(
            f"these rows hold {len(boards)} rankings, by {', '.join(SECTION)}; "
            "use darbench.board.rank.sections, or filter the rows first"
        )
    return boards[0]


def _leaderboard(part: pl.DataFrame, place: Place, declared: Declared) -> Leaderboard:
    first = part.row(0, named=True)
    rank_by = declared.ranking(set(part["config_hash"])) or part.sort("created_utc")["rank_by"][-1]
    if rank_by not in COMPARED:
        raise unknown("rank metric", str(rank_by), COMPARED)
    budget = first["budget_flops"]
    known = entries(part.to_dicts(), budget, declared.sources, declared.seeds, declared.controls)
    tuned = tuning(known, place.tuned, rank_by, budget) if place.tuned else None
    # On the tuned track what was only tried is none of the entries, once one is picked.
    present = ([e for e in known if e.split != "search"] if tuned else []) or known
    measure = reference(present, rank_by)
    rows = [_row(entry, present, measure, rank_by, place.tuned, declared) for entry in present]
    if tuned:
        rows = [replace(r, mark=joined(r.mark, tuned.edges.get(r.config_hash))) for r in rows]
    pairs = placed(rows, present, rank_by)
    return Leaderboard(
        task=first["task"],
        point=place.point,
        tuned=place.tuned,
        tuning=tuned,
        left=is_left(present, place, declared),
        extractor=first["extractor"],
        protocol=json.loads(first["protocol_json"] or "{}"),
        protocol_hash=first["protocol_hash"],
        n_ref=part["n_ref"].max(),
        n_fdr=part["n_fdr"].max(),
        val_class_accuracy=part["val_class_accuracy"].max(),
        budget_flops=budget,
        rank_by=rank_by,
        reference=measure and measure.name,
        tried=number_tried(rows),
        pair_ids=tuple(sorted(set().union(*(e.required for e in present if not e.stale)))),
        files=dict(declared.files),
        commands={e.key[0]: declared.commands.get(e.key[0], declared.command) for e in present},
        entries=tuple(present),
        rows=tuple(row for row, _ in pairs),
        contrasts=tuple(contrasts(present, rank_by, place.tuned)),
        proxies=tuple(correlations([(e, r.score) for r, e in pairs if r.score is not None])),
        curves=curves(pairs),
        trials=trials(pairs),
    )


def _row(
    entry: Entry,
    present: list[Entry],
    measure: Entry | None,
    rank_by: str,
    tuned: Collection[str],
    declared: Declared,
) -> EntryRow:
    past = history(entry, present, declared.earlier.get(entry.key[0], {}), rank_by)
    base = baseline(entry, present, rank_by)
    ratio = measure and score(entry, measure, rank_by)
    row = EntryRow.of(entry, base, rank_by, ratio, past, tuned)
    if ratio is not None or measure is None or not entry.ranks(rank_by):
        return row
    apart = f"no seed to compare with {measure.label}"
    if not measured_alike(recipe(entry), recipe(measure), rank_by):
        apart = f"not ranked: {measure.label} has another loss"
    return row if "not paired" in row.mark else replace(row, mark=joined(row.mark, apart))
