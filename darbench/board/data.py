"""What the page scores by itself: a leaderboard's entries, as scripts/scores.js reads them.

It holds what darbench.analysis reads of an entry and no more. Texts and settings that are only
compared with each other are numbers: equal ones have the same.
"""

import json
import math
from collections.abc import Hashable
from typing import Any

from darbench.analysis.comparison import BASELINE, plain, predicts_data, recipe
from darbench.analysis.outcomes import Entry, Outcome, rate_falls
from darbench.analysis.pairing import audits, unsettled
from darbench.board.leaderboard import Leaderboard
from darbench.records.canonical import canonical_json
from darbench.records.metric import COMPARED


class _Codes(dict[Hashable, int]):
    """A number for each value, in the order of first sight."""

    def __missing__(self, value: Hashable) -> int:
        return self.setdefault(value, len(self))


def data(board: Leaderboard) -> str:
    """Return a leaderboard as JSON: `entries`, each with its trials and their learning curves."""
    codes = _Codes()
    held = {
        "budget": board.budget_flops,
        "rank_by": board.rank_by,
        "metrics": [m for m in COMPARED if m == board.rank_by or board.curves[m].count()],
        "entries": [_entry(entry, codes) for entry in board.entries],
    }
    return json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _entry(entry: Entry, codes: _Codes) -> dict[str, Any]:
    model = entry.config["model"]
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
        "trials": [_trial(outcome, codes) for outcome in entry.outcomes],
    }


def _trial(outcome: Outcome, codes: _Codes) -> dict[str, Any]:
    curve = outcome.curve
    return {
        "seed": outcome.pair_id,
        "split": outcome.last["split"],
        "ok": outcome.status == "ok",
        "flops": [row["train_flops"] for row in curve],
        "metrics": {name: [_finite(row[name]) for row in curve] for name in COMPARED},
        "audits": {
            name: {str(step): codes[frozenset(hashes)] for step, hashes in by_step.items()}
            for name, by_step in audits(curve).items()
        },
        "unsettled": unsettled(curve),
    }


def _finite(value: float | None) -> float | None:
    """A value that has no logarithm is left out of a curve, as one that is missing."""
    return value if value is not None and math.isfinite(value) else None
