"""A trial, which is one configuration under one seed, and its reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from darbench.records.canonical import content_hash
from darbench.records.settings import Evaluation, Model, Task, Training


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A routing with every one of its parameters spelled out, and its changes to the backbone."""

    routing: str
    params: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""  # its name for people; no part of any identity


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration with one pair id: the unit that is run, stored, and never run twice."""

    task: Task
    model: Model
    training: Training
    evaluation: Evaluation
    variant: Variant
    pair_id: int
    split: str = "confirm"  # search | confirm | heldout | control
    code_hash: str = ""  # of the routing's source; a finished trial matches in id and code hash

    def configuration(self) -> dict:
        """Return all that decides the result except the seed, as plain values."""
        return {
            "task": self.task.identity(),
            "routing": self.variant.routing,
            "params": dict(self.variant.params),
            "model": self.model.identity(),
            "training": self.training.identity(),
            "evaluation": self.evaluation.identity(),
        }

    @property
    def config_hash(self) -> str:
        return content_hash(self.configuration())

    @property
    def id(self) -> str:
        return content_hash({"configuration": self.configuration(), "pair_id": self.pair_id})


@dataclass(frozen=True, kw_only=True)
class Report:
    """The report of a trial at one checkpoint: measured columns, samples, weights to keep."""

    step: int
    final: bool
    measured: Mapping[str, Any]  # columns of SCHEMA
    samples: Any = None  # uint8 array (n, H, W, C) in the order of the sample index, or None
    weights: Mapping[str, Any] | None = None  # the averaged model's tensors, where they are kept
