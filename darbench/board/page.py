"""Leaderboards to one HTML file that opens from disk, without a server and without a network.

Everything a user can name (labels, routings, parameters, errors, tasks) is escaped: by Jinja2 in
the page, and by darbench.board.figures in the plots.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from darbench.analysis.outcomes import FAILURES
from darbench.board import cells
from darbench.board.card import cards
from darbench.board.figures import curve_table, figure, figure_html, styles
from darbench.board.rank import Leaderboard
from darbench.board.reproduce import reproduce_command

REFRESH_S = 20
PLOTS = ("fd", "val_loss")
_TITLES = {
    "kid": "KID",
    "precision": "Precision",
    "recall": "Recall",
    "inception_score": "Inception score",
}
_ENVIRONMENT = (
    "device",
    "hw_class",
    "cpu",
    "threads",
    "python",
    "torch",
    "darbench_version",
    "git_sha",
    "git_dirty",
    "data_fingerprint",
    "ref_hash",
)


def write_page(
    name: str,
    sections: Sequence[Leaderboard],
    out_dir: Path,
    samples_dir: Path,
    *,
    in_progress: str | None = None,
    interrupted: bool = False,
    command: str = "",
) -> Path:
    """Write out_dir/index.html by rename, so that a browser never loads half of it.

    `in_progress` is the line of the banner of a sweep that has not ended ("12 of 36 trials"); the
    page then reloads itself, unless the sweep was interrupted. `samples_dir` holds
    <trial_id>.png. `command` is what made the results.
    """
    page = _template().render(
        name=name,
        sections=_contexts(sections, samples_dir),
        titles=_TITLES,
        status=_status(sections),
        in_progress=in_progress,
        interrupted=interrupted,
        refresh_s=REFRESH_S,
        updated=_updated(sections),
        command=command,
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / "index.html"
    partial = out_dir / f".index.html.{os.getpid()}"
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, path)
    return path


def _template():
    environment = Environment(
        loader=PackageLoader("darbench.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in ("number", "count", "percent", "interval", "power", "p_value"):
        environment.filters[function] = getattr(cells, function)
    return environment.get_template("board.html")


def _updated(sections: Sequence[Leaderboard]) -> str:
    """Of the newest row, to the minute: the same rows make the same page on any day."""
    stamps = [s for board in sections for s in board.trials["created_utc"] if s]
    return max(stamps)[:16].replace("T", " ") + " UTC" if stamps else ""


def _status(sections: Sequence[Leaderboard]) -> str:
    counted = [row for board in sections for row in board.frame.filter(stale=False).to_dicts()]
    complete = sum(row["seeds"] == row["seeds_declared"] for row in counted)
    return f"{complete} of {len(counted)} entries complete"


def _contexts(sections: Sequence[Leaderboard], samples_dir: Path) -> list[dict[str, Any]]:
    contexts, library = [], True
    for index, (board, facts) in enumerate(zip(sections, cards(sections), strict=True)):
        context = _context(board, f"s{index + 1}", samples_dir, library) | {"facts": facts}
        library = library and not context["plots"]
        contexts.append(context)
    return contexts


def _context(board: Leaderboard, key: str, samples_dir: Path, library: bool) -> dict[str, Any]:
    names, looks = _names(board), styles(board)
    rows = [
        _row(board, row, f"{key}-e{i}", names, looks)
        for i, row in enumerate(board.frame.to_dicts())
    ]
    return {
        "id": key,
        "board": board,
        "fd_name": cells.metric_name("fd", board.extractor),
        "rank_name": cells.metric_name(board.rank_by, board.extractor),
        "rows": rows,
        "ranked": sum(row["rank"] is not None for row in rows),
        "separated": [row for row in rows if row["bars"][board.rank_by]["verdict"] != "even"],
        "plots": _plots(board, key, names, library),
        "legend": [
            row
            for row in rows
            if not row["stale"] and board.curves.filter(entry=row["entry"]).height
        ],
        "described": [m for m in _TITLES if board.frame[m].count()],
        "samples": _samples(board, rows, samples_dir),
        "failures": [
            trial | {"name": row["name"]}
            for row in rows
            for trial in row["all_trials"]
            if trial["status"] in FAILURES
        ],
    }


def _names(board: Leaderboard) -> dict[str, str]:
    """entry -> label, with the start of a hash where the label does not tell entries apart."""
    rows = board.frame.select("entry", "label", "stale", "config_hash", "variant_code_hash").rows()
    uses = Counter(label for _, label, stale, _, _ in rows if not stale)
    names = {}
    for entry, label, stale, config, code in rows:
        suffix = f" · source {code[:6]}" if stale else f" · {config[:6]}"
        names[entry] = label + suffix if stale or uses[label] > 1 else label
    return names


def _row(board: Leaderboard, row: dict, anchor: str, names: dict, looks: dict) -> dict[str, Any]:
    trials = board.trials.filter(entry=row["entry"]).to_dicts()
    judged = [trial for trial in trials if trial["split"] == row["split"]]
    seed = min((trial["pair_id"] for trial in judged), default=0)
    colour, dash = looks.get(row["entry"], ("", ""))
    return row | {
        "id": anchor,
        "name": names[row["entry"]],
        "colour": colour,
        "dashed": dash != "solid",
        "bars": {metric: _bar(board, row, metric) for metric in PLOTS},
        "all_trials": trials,
        "environment": _environment(trials),
        "config": json.dumps(json.loads(row["config_json"]), indent=2, sort_keys=True),
        "command": reproduce_command(row, seed, board.files),
        "points": {m: curve_table(board, m).filter(entry=row["entry"]).to_dicts() for m in PLOTS},
    }


def _bar(board: Leaderboard, row: dict, metric: str) -> dict[str, Any]:
    reach = cells.bar_reach(board, metric)
    return {
        "effect": row[f"{metric}_effect"],
        "low": row[f"{metric}_low"],
        "high": row[f"{metric}_high"],
        "n": row[f"{metric}_n"],
        "p": row[f"{metric}_p_holm"],
        "verdict": cells.verdict(row, metric),
        "bar": cells.interval_bar(row, metric, reach),
    }


def _environment(trials: list[dict]) -> dict[str, str]:
    """What the trials ran on; several values where they differ."""
    found = {}
    for column in _ENVIRONMENT:
        values = {str(trial[column]) for trial in trials if trial[column] is not None}
        if values:
            found[column] = ", ".join(sorted(values))
    return found


def _plots(
    board: Leaderboard, key: str, names: Mapping[str, str], library: bool
) -> list[dict[str, Any]]:
    plots = []
    for metric in PLOTS:
        if board.curves[metric].count():
            title = cells.metric_name(metric, board.extractor)
            div = figure_html(
                figure(board, metric, title, names),
                f"{key}-{metric}",
                with_library=library and not plots,
            )
            plots.append({"metric": metric, "title": title, "html": Markup(div)})
    return plots


def _samples(board: Leaderboard, rows: list[dict], samples_dir: Path) -> dict[str, Any]:
    """Pictures of one pair id, the lowest among those that most entries have a picture of."""
    by_pair: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        for trial in row["all_trials"]:
            finished = trial["status"] == "ok" and trial["split"] == row["split"]
            uri = cells.picture(samples_dir / f"{trial['trial_id']}.png") if finished else None
            if uri and not row["stale"]:
                found = {"name": row["name"], "uri": uri}
                by_pair.setdefault(trial["pair_id"], []).append(found)
    if not by_pair:
        return {"pair_id": None, "pictures": []}
    pair = min(by_pair, key=lambda p: (-len(by_pair[p]), p))
    return {"pair_id": pair, "pictures": by_pair[pair]}
