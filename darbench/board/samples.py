"""The sample pictures of a section: those that stand in the page, and those beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darbench.board.cells import picture
from darbench.board.entry_view import EntryView

ROOM = 500_000  # characters that the pictures of a page take at most; a page is to be mailed


@dataclass(frozen=True, kw_only=True)
class Sample:
    entry: EntryView
    file: str  # its name in the folder of samples
    uri: str | None  # None where the page has no room for it


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The sample pictures of one pair id, leading entries first."""

    pair_id: int
    pictures: list[Sample]

    @property
    def shown(self) -> list[Sample]:
        return [sample for sample in self.pictures if sample.uri]

    @property
    def beside(self) -> dict[str, str]:
        """The files of the pictures that the page has no room for, by anchor of their entry."""
        return {sample.entry.id: sample.file for sample in self.pictures if not sample.uri}


def samples(entries: Sequence[EntryView], folder: Path, room: int) -> Samples | None:
    """The pictures of the lowest pair id among those that most entries have a picture of.

    The first of them, with `room` characters at most, stand in the page. None without any.
    """
    by_pair: dict[int, list[tuple[EntryView, Path]]] = {}
    for entry in entries:
        for trial in entry.trials:
            path = folder / f"{trial['trial_id']}.png"
            judged = trial["status"] == "ok" and trial["split"] == entry.row.split
            if judged and not entry.row.stale and path.exists():
                by_pair.setdefault(trial["pair_id"], []).append((entry, path))
    if not by_pair:
        return None
    pair = min(by_pair, key=lambda p: (-len(by_pair[p]), p))
    return Samples(pair_id=pair, pictures=_placed(by_pair[pair], room))


def _placed(pictures: Sequence[tuple[EntryView, Path]], room: int) -> list[Sample]:
    """In the page from the first one on, until one would not fit."""
    found = []
    for entry, path in pictures:
        uri = picture(path) or ""
        room -= len(uri)
        found.append(Sample(entry=entry, file=path.name, uri=uri if room >= 0 else None))
        if room < 0:
            break
    left = pictures[len(found) :]
    return found + [Sample(entry=entry, file=path.name, uri=None) for entry, path in left]
