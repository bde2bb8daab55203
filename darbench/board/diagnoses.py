"""The pictures of a section's diagnoses, where the leaderboard's folder has some."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from darbench.board.entry_view import EntryView
from darbench.errors import BadInput
from darbench.pages.pictures import ROOM, Pictures, Subject, pictures
from darbench.store.diagnostics import diagnosed_trials, read_diagnostics


@dataclass(frozen=True, kw_only=True)
class Diagnoses:
    """What a folder holds: the trials that were diagnosed, and the rows of some of them."""

    trials: frozenset[str] = frozenset()
    table_of: Callable[[Collection[str]], pl.DataFrame]
    problem: str = ""  # why there are none, if not because nobody made any


def diagnoses_in(folder: Path) -> Diagnoses:
    """The diagnoses beside a ledger. A table that cannot be read is none: the page says so."""

    def table_of(trials: Collection[str]) -> pl.DataFrame:
        return read_diagnostics(folder, trials)

    try:
        return Diagnoses(trials=frozenset(diagnosed_trials(folder)), table_of=table_of)
    except BadInput as error:
        return Diagnoses(table_of=table_of, problem=str(error).replace(str(folder), "."))


def diagnosis(
    entries: Sequence[EntryView], key: str, name: str, found: Diagnoses, sections: int
) -> Pictures | None:
    """The pictures of the entries of section `key`, every `add` first; None if there are none.

    `sections` share the room that a page has for pictures.
    """
    drawn = [_subject(entry, found) for entry in entries if entry.style]
    subjects = sorted(filter(lambda s: s.trials, drawn), key=lambda s: not s.baseline)
    if not subjects:
        return None
    title = f"What the routings do on {name}"
    return pictures(f"d{key}", title, subjects, found.table_of, ROOM // sections)


def _subject(entry: EntryView, found: Diagnoses) -> Subject:
    """An entry with its diagnosed trials of the seeds that it is judged by."""
    own = (t["trial_id"] for t in entry.trials if t["split"] == entry.row.split)
    return Subject(
        name=entry.row.entry,
        title=entry.name,
        style=entry.style,
        baseline=entry.row.baseline,
        trials=tuple(trial for trial in own if trial in found.trials),
    )
