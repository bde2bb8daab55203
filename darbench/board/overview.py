"""One page over many leaderboards: what each section found, and what goes over to other tasks."""

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from darbench.analysis.transfer import Transfer, transfer
from darbench.board import cells
from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard
from darbench.files import replacing
from darbench.pages.template import template
from darbench.records.canonical import canonical_json
from darbench.records.metric import METRICS

MOST = 60  # pairs of sections that are shown
_WRITERS = ("number", "interval", "percent", "power")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A section of a leaderboard in a folder below that of the overview."""

    folder: str  # such as published/dar_variants
    place: int  # of the section on the leaderboard's page, from 1
    board: Leaderboard

    @property
    def href(self) -> str:
        return f"{quote(self.folder)}/index.html#s{self.place}"

    @property
    def metric(self) -> str:
        return METRICS[self.board.rank_by].title_in(self.board.extractor)

    @property
    def ranked(self) -> list[EntryRow]:
        return [row for row in self.board.rows if row.rank is not None]

    @property
    def best(self) -> EntryRow | None:
        return self.ranked[0] if self.ranked else None

    @property
    def level(self) -> int:
        """How many entries stand in the first tier, the best among them."""
        return sum(row.tier == 1 for row in self.ranked)

    @property
    def verdict(self) -> str:
        return cells.verdict(self.best, self.board.rank_by) if self.best else "even"

    @property
    def updated(self) -> str:
        return max((row.created or "" for row in self.board.rows), default="")

    @property
    def scores(self) -> dict[str, float]:
        """The scores of ranked entries by routing and parameters, of which each has one entry."""
        named = [(_variant(row), row.score) for row in self.ranked if row.score is not None]
        uses = Counter(name for name, _ in named)
        return {name: score for name, score in named if uses[name] == 1}


@dataclass(frozen=True, kw_only=True)
class Pair:
    one: Listed
    other: Listed
    found: Transfer


def write_overview(listed: Sequence[Listed], out: Path) -> Path:
    """Write out/index.html by rename."""
    pairs = transfers(listed)
    writers = {name: getattr(cells, name) for name in _WRITERS}
    page = template("darbench.board", "overview.html", writers).render(
        listed=listed, pairs=pairs[:MOST], left=len(pairs[MOST:])
    )
    path = out / "index.html"
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def transfers(listed: Sequence[Listed]) -> list[Pair]:
    """Return the pairs of sections of different tasks, those that share most entries first."""
    scores: Mapping[int, Mapping[str, float]] = {id(each): each.scores for each in listed}
    pairs = [
        Pair(one=one, other=other, found=found)
        for one, other in itertools.combinations(listed, 2)
        if one.board.task != other.board.task
        and (found := transfer(scores[id(one)], scores[id(other)]))
    ]
    return sorted(pairs, key=lambda pair: -pair.found.n)


def _variant(row: EntryRow) -> str:
    config = json.loads(row.config_json)
    return canonical_json([config["routing"], config["params"]])
