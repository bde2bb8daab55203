"""The results of a diagnosis as one long table: a row for each number."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from darbench.diagnose.measured import Measured

COLUMNS = ("analysis", "k", "j", "t", "value", "se")
INDEX = "softmax_source"  # says which output a source of a softmax is


def long_form(found: Mapping[str, Measured], times: np.ndarray) -> Iterator[dict[str, Any]]:
    """Rows of COLUMNS, None where an analysis has no such axis; NaN has no row.

    k: the depth, that of z_k, or the site of a read; j: the output v_j, of a softmax' source the
    newest that it is made of (-1: none). Sources of one read that share their newest output have
    rows of the same k and j.
    """
    for name, measured in found.items():
        if name == INDEX:
            continue
        for place in np.argwhere(~np.isnan(measured.values)):
            at = dict(zip(measured.axes, place.tolist(), strict=True))
            yield {
                "analysis": name,
                "k": at.get("k", at.get("i")),
                "j": int(found[INDEX].values[at["i"], at["s"]]) if "s" in at else at.get("j"),
                "t": float(times[at["t"]]) if "t" in at else None,
                "value": float(measured.values[tuple(place)]),
                "se": _known(measured.error, tuple(place)),
            }


def _known(error: np.ndarray | None, place: tuple[int, ...]) -> float | None:
    return None if error is None or np.isnan(error[place]) else float(error[place])
