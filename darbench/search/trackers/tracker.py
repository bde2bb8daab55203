"""What an experiment tracker is: it is shown the rows that a sweep's trials write."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from darbench.records.schema import SCHEMA

_MEASURED = [column.name for column in SCHEMA if column.kind == "float"]
_UNSAFE = re.compile(r"[^\w.,=+ -]")
_LONGEST = 80  # characters of a label in the name of a folder

Row = Mapping[str, Any]


class Tracker(Protocol):
    """A tracker of one sweep; whatever it raises ends it, and nothing else."""

    def show(self, row: Row) -> None:
        """Take a row of the ledger."""

    def close(self) -> None:
        """Write out what is left, for the sweep has ended."""


def measured(row: Row) -> Iterator[tuple[str, float]]:
    """Yield the measured numbers of a row by column."""
    yield from ((name, float(row[name])) for name in _MEASURED if row[name] is not None)


def run_id(row: Row) -> str:
    """Return what tells trials apart, also under another source of the routing."""
    return _UNSAFE.sub("_", f"{row['trial_id']}-{row['variant_code_hash'] or ''}-{row['split']}")


def run_name(row: Row) -> str:
    """Return the label and seed of a row's trial, as they may stand in the name of a file."""
    label = _UNSAFE.sub("_", row["label"] or row["routing"])[:_LONGEST]
    return f"{label}, seed {row['pair_id']}"
