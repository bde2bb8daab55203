"""A leaderboard: one ranking, with all that a page shows of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from darbench.analysis.contrast import Contrast
from darbench.analysis.outcomes import Entry
from darbench.analysis.proxies import Correlation
from darbench.board.entry_row import EntryRow, to_frame
from darbench.board.parameters import Parameter, varied
from darbench.board.tuning import TuningCost


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One ranking: one row per entry, best first, unranked entries last.

    It is ordered by scores: geometric mean ratios to one `reference`, over the seeds that both
    have. That is the first complete `add`, or without one the first complete entry. Means are
    shown and rank nothing; those of an entry without score are provisional: over the seeds it has.
    """

    task: str
    point: Mapping[str, Any]  # of the space's axes: value by name
    tuned: tuple[str, ...]  # settings of which every entry has its own best
    tuning: TuningCost | None  # what was tried of them
    left: bool  # after a coarse look, on which nothing differed from `add`
    extractor: str
    protocol: dict[str, Any]  # what the protocol hash covers, by name; empty in rows without it
    protocol_hash: str
    n_ref: int | None  # number of reference images
    n_fdr: int | None  # number of images that FDr is taken at
    val_class_accuracy: float | None  # of the classifier of `class_accuracy`
    budget_flops: float | None  # training FLOPs; None where all trials crashed too early
    rank_by: str
    reference: str | None  # the entry that scores are ratios to; None where none is complete
    tried: int  # entries that might have been ranked: earlier versions and failures too
    pair_ids: tuple[int, ...]  # of all entries and splits
    entries: tuple[Entry, ...]  # in the order in which sweeps declared them
    rows: tuple[EntryRow, ...]
    contrasts: tuple[Contrast, ...]  # of routings that stand here with both objectives
    proxies: tuple[Correlation, ...]  # what early and trivial numbers say of the scores
    files: dict[str, str]  # where routings that are not built in are written, by name
    commands: dict[str, str]  # which runs the missing seeds, by configuration hash
    curves: pl.DataFrame  # one row per entry, pair id and checkpoint
    trials: pl.DataFrame  # one row per trial: how it stands, what it reached, where it ran

    @property
    def name(self) -> str:
        """The task, the other axes and what is tuned, such as `digits-nano, model.patch=2`."""
        axes = (f"{name}={value}" for name, value in self.point.items() if name != "task")
        tuned = [f"tuned {' and '.join(self.tuned)}"] * bool(self.tuned)
        return ", ".join([self.task, *axes, *tuned])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The rows as a table.

        Relative effects are fractions: -0.02 in `val_loss_effect` is 2 % below `add`. Beside them
        stand `_low` and `_high` (95 % paired t interval), `_n` (seeds), `_p`, `_chance` (that a
        further seed lies below `add`), and for the metric that ranks `_p_adjusted` (Hochberg,
        over all variants and their earlier versions).
        """
        return to_frame(self.rows)

    @cached_property
    def frame_with_parameters(self) -> pl.DataFrame:
        """The rows, and in the last columns what varies on this leaderboard beside the routing."""
        own = {p.name: pl.Series(p.values, strict=False) for p in self.parameters[1:]}
        return self.frame.with_columns(**own)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The routing and what varies beside it; nothing where only the routing does."""
        return varied(self.rows)
