"""What the page draws and scores by itself: a leaderboard's entries, read by scripts/read.js.

It holds what darbench.analysis reads of an entry, what figures show of it, and no more. Texts and
settings that are only compared with each other are numbers: equal ones have the same.
"""

import json
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from darbench.analysis.comparison import BASELINE, plain, predicts_data, recipe
from darbench.analysis.outcomes import Entry, Outcome, Row, rate_falls
from darbench.analysis.pairing import audits, unsettled
from darbench.board.figures import families, styles
from darbench.board.leaderboard import Leaderboard
from darbench.board.trajectory import trajectory
from darbench.records.canonical import canonical_json
from darbench.records.metric import COMPARED
from darbench.store.importances import Importance


class _Codes(dict[Hashable, int]):
    """A number for each value, in the order of first sight."""

    def __missing__(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


@dataclass(frozen=True, kw_only=True)
class Data:
    """A leaderboard for the page's script.

    `text` is JSON: `entries`, each with its trials, and the `grids` of checkpoints that trials
    have. `numbers` are the learning curves of all trials, one metric after the other.
    """

    text: str
    numbers: list[float | None]


class _Curves:
    """The checkpoints and curves of all trials, as they are written."""

    def __init__(self, metrics: list[str], hw_class: str | None):
        self.metrics, self.hw_class, self.numbers = metrics, hw_class, []
        self.grids, self.codes = _Codes(), _Codes()

    def grid(self, curve: list[Row]) -> int:
        """The number of the checkpoints at which a curve was measured; its values are noted."""
        for name in self.metrics:
            self.numbers += [_finite(row[name]) for row in curve]
        columns = ("train_flops", "samples_seen")
        return self.grids[tuple(tuple(row[column] for row in curve) for column in columns)]


def data(
    board: Leaderboard, titles: Mapping[str, str], importances: Sequence[Importance] = ()
) -> Data:
    """Return what the page reads of a leaderboard; `titles` are the names of entries on it.

    `importances` are those of its search.
    """
    metrics = [m for m in COMPARED if m == board.rank_by or board.curves[m].count()]
    curves, looks = _Curves(metrics, _hw_class(board)), _looks(board, titles)
    entries = [looks[entry.name] | _entry(entry, curves) for entry in board.entries]
    held = {
        "budget": board.budget_flops,
        "rank_by": board.rank_by,
        "tried": board.tried,
        "hw_class": curves.hw_class,
        "metrics": metrics,
        "grids": [{"flops": flops, "samples": samples} for flops, samples in curves.grids],
        "entries": entries,
        "families": {name: style._asdict() for name, style in families(board.rows).items()},
        "parameters": [
            {"name": p.name, "title": p.title, "levels": p.levels, "at": p.at}
            for p in board.parameters
        ],
        "searched": _searched(board),
        "importances": [asdict(each) for each in importances],
    }
    text = json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Data(text=text, numbers=curves.numbers)


def _searched(board: Leaderboard) -> list[dict[str, Any]]:
    places = {row.entry: place for place, row in enumerate(board.rows)}
    return [
        {"place": places[each.entry], **{k: v for k, v in asdict(each).items() if k != "entry"}}
        for each in trajectory(board)
    ]


def _hw_class(board: Leaderboard) -> str | None:
    """The hardware class that most trials ran on: seconds of others are not told."""
    ran = Counter(name for name in board.trials["hw_class"] if name)
    return min(ran, key=lambda name: (-ran[name], name), default=None)


def _looks(board: Leaderboard, titles: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """How each entry is shown: its name, its place on the page, and its line if it has one."""
    drawn = {entry: style._asdict() for entry, style in styles(board.rows).items()}
    return {
        row.entry: {"title": titles[row.entry], "place": place, "style": drawn.get(row.entry)}
        for place, row in enumerate(board.rows)
    }


def _entry(entry: Entry, curves: _Curves) -> dict[str, Any]:
    model, codes = entry.config["model"], curves.codes
    return {
        "name": entry.name,
        "label": entry.label,
        "add": entry.head["routing"] == BASELINE,
        "control": entry.control is not None,
        "stale": entry.stale,
        "split": entry.split,
        "required": sorted(entry.required),
        "model": codes[canonical_json(model)],
        "plain": codes[canonical_json(plain(model))],
        "training": codes[canonical_json(entry.config["training"])],
        "predicts_data": predicts_data(recipe(entry)),
        "falls": rate_falls(entry.head["config_json"]),
        "memory": _typical(entry, "peak_mem_bytes"),
        "parameters": _typical(entry, "params_total"),
        "trials": [_trial(outcome, curves) for outcome in entry.outcomes],
    }


def _trial(outcome: Outcome, curves: _Curves) -> dict[str, Any]:
    last, codes = outcome.last, curves.codes
    return {
        "seed": outcome.pair_id,
        "split": last["split"],
        "ok": outcome.status == "ok",
        "grid": curves.grid(outcome.curve),
        "seconds": _seconds(last, curves.hw_class),
        "audits": {
            name: {str(step): codes[frozenset(hashes)] for step, hashes in by_step.items()}
            for name, by_step in audits(outcome.curve).items()
        },
        "unsettled": unsettled(outcome.curve),
    }


def _seconds(last: Row, hw_class: str | None) -> float | None:
    """To four digits, for two runs of one trial differ by more; None on other hardware."""
    seconds = last["train_seconds"] if last["hw_class"] == hw_class else None
    return None if seconds is None else float(f"{seconds:.4g}")


def _typical(entry: Entry, column: str) -> float | None:
    values = [o.last[column] for o in entry.trials if o.last[column] is not None]
    return median(values) if values else None


def _finite(value: float | None) -> float | None:
    """A value that has no logarithm is left out of a curve, as one that is missing."""
    return value if value is not None and math.isfinite(value) else None
