"""What a search learns from that of another leaderboard, before it draws anything itself.

Nothing of it becomes a row here: its results are told to the study, and a configuration that is
drawn again is run again.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

from darbench.errors import BadInput
from darbench.search.locate import locate
from darbench.search.proposer import Row
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration
from darbench.store import ledger


def lessons(space: SearchSpace, folder: Path) -> list[Row]:
    """Return the last rows of the search that a space names, of configurations that it has.

    folder: the space's own leaderboard, beside which the other lies if it is no path. They count
    for the present source of a routing and the same protocol alone. BadInput if there are none,
    or if this leaderboard is to rank on their seeds.
    """
    if not space.warm_start:
        return []
    given = f"warm_start={space.warm_start}"
    other = _folder(space.warm_start, folder.parent)
    if not (other / "ledger").is_dir():
        raise BadInput(
            f"{given}: no leaderboard is at {other}; name one that lies in {folder.parent}, or "
            "give its folder"
        )
    if other.resolve() == folder.resolve():
        raise BadInput(f"{given}: that is this leaderboard itself, which goes on anyway")
    ended = ledger.finished(ledger.read_ledger(other / "ledger")).values()
    found = [row for row in ended if row["split"] == "search" and row["status"] == "ok"]
    found = [row for row in found if any(_at(space.on(g), row) for g in space.grounds)]
    if not found:
        raise BadInput(
            f"{given}: no search there has finished a configuration of this space, by the present "
            "sources of its routings and the same protocol; take it out, or name another"
        )
    ranking = {*space.confirm_seeds} if space.confirm_top else set()
    if used := sorted(ranking & {row["pair_id"] for row in found}):
        raise BadInput(
            f"confirm.seeds: the search of {given} ran on {used}, and seeds that picked a winner "
            "never rank it; confirm on others"
        )
    return found


def learnt(
    space: SearchSpace, rows: Iterable[Row], columns: Iterable[str]
) -> Iterator[tuple[Configuration, list[float]]]:
    """Yield the configurations of a space with one ground, with the means of columns over seeds.

    Those that lack a value are passed over.
    """
    own: dict[str, tuple[Configuration, list[Row]]] = {}
    for row in sorted(rows, key=lambda row: (row["created_utc"], row["trial_id"])):
        if (configuration := _at(space, row)) is not None:
            own.setdefault(row["config_hash"], (configuration, []))[1].append(row)
    for configuration, seeds in own.values():
        values = [[row[column] for row in seeds] for column in columns]
        if not any(None in each for each in values):
            yield configuration, [fmean(each) for each in values]


def _folder(given: str, beside: Path) -> Path:
    named = beside / given
    return named if named.is_dir() else Path(given).expanduser()


def _at(space: SearchSpace, row: Row) -> Configuration | None:
    """The configuration of a row that a trial of this space would measure alike."""
    configuration = locate(space, row)
    if configuration is None:
        return None
    alike = ledger.key(configuration.trial(row["pair_id"], "search")) == ledger.row_key(row)
    return configuration if alike else None
