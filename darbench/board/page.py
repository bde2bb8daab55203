"""The page: leaderboards in one HTML file that opens from disk, without server or network.

Everything a user can name (labels, routings, parameters, errors, tasks) is escaped: by Jinja2 in
the page and in what it unpacks, and by scripts/curves.js in the plots.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Template
from markupsafe import Markup

from darbench.board import cells
from darbench.board.diagnoses import diagnoses_in, diagnosis
from darbench.board.facts import facts
from darbench.board.leaderboard import Leaderboard
from darbench.board.regimes import regimes
from darbench.board.samples import ROOM
from darbench.board.script import script
from darbench.board.section import Section, section
from darbench.board.sources import sources
from darbench.command_line import published
from darbench.files import replacing
from darbench.pages.inert import packed, plotly_js
from darbench.pages.script import digest
from darbench.pages.template import template
from darbench.store.importances import Importance, point_key

REFRESH_S = 20
NONE: Mapping[str, Sequence[Importance]] = {}
_WRITERS = ("number", "count", "percent", "chance", "interval", "power", "p_value")


def write_page(
    name: str,
    boards: Sequence[Leaderboard],
    out_dir: Path,
    samples_dir: Path,
    *,
    in_progress: str | None = None,
    interrupted: bool = False,
    command: str = "",
    importances: Mapping[str, Sequence[Importance]] = NONE,
) -> Path:
    """Write out_dir/index.html by rename, so that a browser never loads half of it.

    `in_progress` is the line of the banner of a sweep that has not ended ("12 of 36 trials"); the
    page then reloads itself, unless the sweep was interrupted. `samples_dir` holds
    <trial_id>.png, out_dir/sources the code of routings, and `out_dir` the diagnoses. `command` is
    what made the results. `importances` are those of searches, by `point_key`.
    """
    sections, own = _sections(boards, samples_dir, importances), script()
    found = diagnoses_in(out_dir)
    count = len(sections)
    diagnosed = {s.id: diagnosis(s.entries, s.id, s.board.name, found, count) for s in sections}
    page = _template("board.html").render(
        name=name,
        sections=sections,
        regimes=regimes(boards),
        sources=sources(boards, out_dir),
        entries={each.id: _entries(each) for each in sections},
        diagnosed=diagnosed,
        undiagnosed=found.problem or not any(diagnosed.values()),
        problem=found.problem,
        diagnose=published(["darbench", "diagnose", "--space", name]),
        script=Markup(own),
        digest=digest(own),
        plotly=plotly_js() if any(section.plots for section in sections) else None,
        status=_status(boards),
        in_progress=in_progress,
        interrupted=interrupted,
        refresh_s=REFRESH_S,
        updated=_updated(boards),
        command=command,
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / "index.html"
    with replacing(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def _entries(section: Section) -> str:
    """What stands in the entries of a section once they are opened, by anchor, packed."""
    opens = _template("entry.html")
    opened = {e.id: opens.render(e=e, s=section) for e in section.entries}
    return packed(json.dumps(opened, ensure_ascii=False))


def _template(name: str) -> Template:
    return template("darbench.board", name, {each: getattr(cells, each) for each in _WRITERS})


def _updated(boards: Sequence[Leaderboard]) -> str:
    """The time of the newest row, to the minute: the same rows make the same page on any day."""
    stamps = [s for board in boards for s in board.trials["created_utc"] if s]
    return max(stamps)[:16].replace("T", " ") + " UTC" if stamps else ""


def _status(boards: Sequence[Leaderboard]) -> str:
    counted = [row for board in boards for row in board.rows if not row.stale]
    complete = sum(row.seeds == row.seeds_declared for row in counted)
    return f"{complete} of {len(counted)} entries complete"


def _sections(
    boards: Sequence[Leaderboard],
    samples_dir: Path,
    importances: Mapping[str, Sequence[Importance]],
) -> list[Section]:
    room = ROOM // max(1, len(boards))
    weighed = [[] if b.tuned else importances.get(point_key(b.point), []) for b in boards]
    return [
        section(board, f"s{place}", own, samples_dir, room, weighed[place - 1])
        for place, (board, own) in enumerate(zip(boards, facts(boards), strict=True), start=1)
    ]
