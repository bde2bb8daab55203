"""Rows of older schemas, read as rows of this one: one function for each version, to the next.

`schema_version` stays what the row was written with.
"""

from collections.abc import Callable, Mapping
from typing import Any

from darbench.records.schema import SCHEMA_VERSION

Row = dict[str, Any]
_GONE = (  # after schema 1: copies of pair_id, and what nothing ever wrote
    *("init_seed", "data_seed", "noise_seed", "gen_seed", "resumed_from"),
    *("fwd_rms_ratio", "grad_decay_ratio", "block_cosine"),
    *("routing_entropy", "lookback_mean", "t_sensitivity"),
)
_HASHED_OTHERWISE = ("audit_data", "audit_noise", "audit_step")


def from_1_to_2(row: Mapping[str, Any]) -> Row:
    """The audits of training are left out, for they are of another form and compare with none.

    The hash of the source is of its text then: no source has it any more, so the row is stale.
    """
    return {
        name: None if name in _HASHED_OTHERWISE else value
        for name, value in row.items()
        if name not in _GONE
    }


CONVERTERS: dict[int, Callable[[Mapping[str, Any]], Row]] = {1: from_1_to_2}


def converted(row: Row) -> Row:
    """The row as this schema has it; KeyError if it is of a version that never was."""
    for version in range(row["schema_version"], SCHEMA_VERSION):
        row = CONVERTERS[version](row)
    return row
