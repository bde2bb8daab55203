"""What was measured, and what became of a part: the records that gpu.py writes."""

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

MOST = 120  # characters of an error in the table


@dataclass(frozen=True)
class Row:
    """One cell of the table: where it stands, what it says, and all figures behind it."""

    line: str
    column: str
    cell: str
    figures: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


@dataclass(frozen=True)
class Outcome:
    """A part that has run: its rows, and what cells without a row say."""

    state: str  # measured | cut off | failed
    seconds: float
    allowed: float  # seconds
    rows: list[Row]
    error: str = ""

    @property
    def failed(self) -> bool:
        return self.state == "failed" or any(row.failed for row in self.rows)

    @property
    def rest(self) -> str:
        return f"failed: {self.error}" if self.state == "failed" else self.state


def attempt(line: str, column: str, measure: Callable[[], tuple[str, dict[str, Any]]]) -> Row:
    """Return the cell and the figures that are measured as a row, or the error as one.

    The device's memory is given back, so that the next cell begins as this one did.
    """
    try:
        return Row(line, column, *measure())
    except Exception as error:
        return Row(line, column, f"failed: {in_short(error)}", failed=True)
    finally:
        gc.collect()
        torch.cuda.empty_cache()


def in_short(error: Exception) -> str:
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}"[:MOST]


def pair(a: float, b: float, unit: str = "") -> str:
    """Two figures, as of forward and backward, to three digits."""
    return f"{digits(a)}{unit} / {digits(b)}{unit}"


def digits(x: float) -> str:
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"
