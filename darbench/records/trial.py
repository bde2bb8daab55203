"""A trial, one configuration under one seed, and what it reports."""

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
    label: str = ""  # how people call it; no part of any identity


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration x one pair id: the unit that runs, is stored and is never run twice."""

    task: Task
    model: Model
    training: Training
    evaluation: Evaluation
    variant: Variant
    pair_id: int
    split: str = "confirm"  # search | confirm | heldout | control
    code_hash: str = ""  # of the routing's source; finished means id and code hash both match

    def configuration(self) -> dict:
        """All that decides the result except the seed, as plain values."""
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
    """What a trial says at one checkpoint: measured columns of the row, and a picture."""

    step: int
    final: bool
    measured: Mapping[str, Any]  # columns of SCHEMA
    samples: Any = None  # uint8 array (n, H, W, C) in the order of the sample index, or None
