"""The evaluation protocol: everything that can move a measured number, name by name.

Rows of different protocol are never ranked together. Nothing here imports a third-party package.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from darbench.records import rules
from darbench.records.canonical import content_hash
from darbench.records.trial import Trial

ASIDE = ("fd_from", "redraws")
PACKAGE = Path(__file__).parents[1]
FINGERPRINTS = PACKAGE / "data" / "fingerprints.json"  # of the data that ship
# NAME.json holds the sha256 of the weights of extractor NAME.
WEIGHTS = PACKAGE / "metrics" / "extractors" / "weights"


def protocol(trial: Trial) -> dict[str, Any]:
    """Return the protocol as plain values by name; settings have the names they are set by.

    Budget, depth, width and most of the recipe belong to the trial. The EMA does not, for its
    weights are measured, nor does the path, which decides the velocity in the validation loss.
    """
    task, training = trial.task, trial.training
    # When a number is measured, and how often, does not change it.
    measured = {k: v for k, v in trial.evaluation.identity().items() if k not in ASIDE}
    constants = {name.lower(): value for name, value in vars(rules).items() if name.isupper()}
    return {
        "rules": constants.pop("rules"),
        "task.name": task.name,
        "task.version": task.version,
        "task.data": task.data,
        "data.fingerprint": task.fingerprint or shipped_fingerprint(task.data),
        "task.extractor": task.extractor,
        "extractor.weights": _weights(task.extractor),
        **dict(_flat("evaluation", measured)),
        **{f"{name}.weights": _weights(name) for name in trial.evaluation.fdr_extractors},
        "training.ema": training.ema,
        "training.path": training.path,
        **{f"rules.{name}": value for name, value in constants.items()},
    }


def protocol_hash(trial: Trial) -> str:
    return content_hash(protocol(trial))


def shipped_fingerprint(data: str) -> str | None:
    """The recorded fingerprint of a dataset that ships; None for one that lies in files."""
    return _read(FINGERPRINTS).get(data)


def _weights(extractor: str) -> str | None:
    """The start of the sha256 of an extractor's weights; None where none ship."""
    path = WEIGHTS / f"{extractor}.json"
    return _read(path)["sha256"][:16] if path.is_file() else None


@cache
def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values within nested mappings, with dotted names."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for key, inner in value.items():
        yield from _flat(f"{name}.{key}", inner)
