"""Converters of rows of older schemas: one function from each version to the next.

`schema_version` remains the version that the row was written with.
"""

from collections.abc import Callable, Mapping
from typing import Any

from darbench.records.schema import SCHEMA_VERSION

Row = dict[str, Any]
_GONE = (  # columns of schema 1: copies of pair_id, and some that nothing ever wrote
    *("init_seed", "data_seed", "noise_seed", "gen_seed", "resumed_from"),
    *("fwd_rms_ratio", "grad_decay_ratio", "block_cosine"),
    *("routing_entropy", "lookback_mean", "t_sensitivity"),
)
_HASHED_OTHERWISE = ("audit_data", "audit_noise", "audit_step")


def from_1_to_2(row: Mapping[str, Any]) -> Row:
    """Leave out the audits of training, which have another form and compare with no others.

    The row is stale: its source hash is one of the text, which no source has now.
    """
    return {
        name: None if name in _HASHED_OTHERWISE else value
        for name, value in row.items()
        if name not in _GONE
    }


CONVERTERS: dict[int, Callable[[Mapping[str, Any]], Row]] = {1: from_1_to_2}


def converted(row: Row) -> Row:
    """Return the row in this schema; KeyError if its version does not exist."""
    for version in range(row["schema_version"], SCHEMA_VERSION):
        row = CONVERTERS[version](row)
    return row
