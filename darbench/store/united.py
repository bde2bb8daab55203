"""The union of leaderboards: rows of several ledgers, and what their sweeps declared.

It is the same in whatever order and groups leaderboards are united, and one united with itself is
itself: a ledger is a set of lines, and of two declarations that differ the choice is by a fixed
order of what they say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from darbench.files import replacing
from darbench.records.canonical import canonical_json
from darbench.store import ledger
from darbench.store.declared import Declared
from darbench.store.place import Place

FILE = "merged.jsonl"  # in the ledger of the union

Value = TypeVar("Value")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Conflict:
    """A step of a trial that was measured with different numbers; all its rows are kept."""

    trial: str
    label: str
    seed: int
    step: int
    row_hashes: tuple[str, ...]


def united_rows(folders: Iterable[Path]) -> dict[bytes, Row]:
    """Return the rows of all ledgers by their lines, each once; BadInput for what is no row."""
    found: dict[bytes, Row] = {}
    for folder in folders:
        for line, row in ledger.read_lines(folder / "ledger"):
            found.setdefault(line, row)
    return found


def conflicts(rows: Iterable[Row]) -> list[Conflict]:
    """Return the steps that several rows give different numbers, by trial and step."""
    hashes: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        if row["status"] == "ok":
            key = (*ledger.row_key(row), row["step"])
            hashes.setdefault(key, {})[row["row_hash"] or ""] = row
    found = [each for each in hashes.values() if len(each) > 1]
    made = [_conflict(each) for each in found]
    return sorted(made, key=lambda each: (each.trial, each.step, each.row_hashes))


def _conflict(by_hash: Mapping[str, Row]) -> Conflict:
    row = max(by_hash.values(), key=lambda row: row["label"] or "")
    hashes = tuple(sorted(by_hash))
    return Conflict(row["trial_id"], row["label"], row["pair_id"], row["step"], hashes)


def add_lines(folder: Path, new: Iterable[bytes]) -> None:
    """Add lines to the ledger of a leaderboard, in a file of their own in a fixed order."""
    path, new = folder / "ledger" / FILE, {*new}
    if new:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes().splitlines() if path.exists() else ()
        with replacing(path, flush=True) as partial:
            partial.write_bytes(b"".join(line + b"\n" for line in sorted(new.union(before))))


def united_declared(made: Sequence[Declared], rows: Iterable[Row]) -> Declared:
    """Return what all declare: all seeds and places, and of what differs the last by its text.

    Of a routing's sources the one of the newest row is current.
    """
    newest = _newest(rows)
    return Declared(
        command=max(each.command for each in made),
        seeds=_merged((each.seeds for each in made), _all_seeds),
        earlier=_merged((each.earlier for each in made), _all_earlier),
        commands=_merged((each.commands for each in made), max),
        rank_by=_merged((each.rank_by for each in made), max),
        places=_merged((each.places for each in made), _all_places),
        controls=_merged((each.controls for each in made), max),
        sources=_merged((each.sources for each in made), lambda *s: max(s, key=newest)),
        files=_merged((each.files for each in made), max),
    )


def _newest(rows: Iterable[Row]) -> Callable[[str], tuple[str, str]]:
    """Return a key that orders sources by the newest of their rows."""
    times: dict[str, str] = {}
    for row in rows:
        source = row["variant_code_hash"]
        times[source] = max(times.get(source, ""), row["created_utc"])
    return lambda source: (times.get(source, ""), source)


def _merged(
    given: Iterable[Mapping[str, Value]], join: Callable[[Value, Value], Value]
) -> dict[str, Value]:
    """Return the mappings as one; what a single one says is joined with itself, to one form."""

    def both(one: Mapping[str, Value], two: Mapping[str, Value]) -> dict[str, Value]:
        all_of, other = {**two, **one}, {**one, **two}
        return {name: join(all_of[name], other[name]) for name in sorted(all_of)}

    return reduce(both, given)


def _all_seeds(one: Sequence[int], two: Sequence[int]) -> list[int]:
    return sorted({*one, *two})


def _all_earlier(one: Mapping, two: Mapping) -> dict[str, list[int]]:
    return _merged((one, two), _all_seeds)


def _all_places(one: Sequence[Place], two: Sequence[Place]) -> list[Place]:
    by_text = {canonical_json(asdict(place)): place for place in (*one, *two)}
    return [by_text[text] for text in sorted(by_text)]
