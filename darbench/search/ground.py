"""The ground of a comparison: the task, backbone, recipe and evaluation that its variants share.

A space has one, or one for each point of its axes. Variants and axes change the same settings of
backbone and recipe, by dotted names such as `model.depth`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_type_hints

from darbench.errors import BadInput, unknown
from darbench.model import sizes
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.registry import Parameter, parameter

# Those that are no scalars, for a list in a space is choices; and those that no identity holds,
# for two configurations that differ in them are one.
NOT_CHANGED = (
    *("size", "repa", "checkpoints", "init_from", "init_hash"),
    *("micro_batch", "keep_weights", "save_every_s", "save_to", "timeout_s"),
)
PARTS = {"model": Model, "training": Training}
GROUND = ("task", *PARTS, "evaluation")  # what a space has for each ground
CHANGED = {
    f"{part}.{name}": parameter(f"{part}.{name}", getattr(cls(), name), hint)
    for part, cls in PARTS.items()
    for name, hint in get_type_hints(cls).items()
    if name not in NOT_CHANGED
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all variants of one comparison share, and its point: the value by name of axis."""

    task: Task
    model: Model
    training: Training
    evaluation: Evaluation
    point: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Ground":
        """Make a ground of plain values with these names; ValueError if they break a rule."""
        return cls(
            task=Task(**dict(values["task"], quick=tuple(values["task"]["quick"]))),
            model=sizes.resolve(Model(**values["model"])),
            training=Training.from_dict(values["training"]),
            evaluation=Evaluation.from_dict(values["evaluation"]),
            point=values["point"],
        )

    def setting(self, name: str) -> Any:
        """Return what the ground sets, by dotted name, such as `training.lr`."""
        part, _, key = name.partition(".")
        return getattr(getattr(self, part), key)

    def changed(self, changes: Mapping[str, Any]) -> "Ground":
        """Return the ground with other settings, by dotted name.

        BadInput for one that is an axis of the space; ValueError if they break a rule.
        """
        for key in changes:
            if key in self.point:
                raise BadInput(
                    f"{key} is an axis of the space, on which all variants move; leave it out, or "
                    "take it from the axes"
                )
        if changes.get("training.objective") == "repa" != self.training.objective:
            raise BadInput(
                "training.objective=repa: its encoder is that of the whole space; set it there, "
                "or make training.objective an axis"
            )
        model, training = (_of(part, changes) for part in PARTS)
        return replace(
            self,
            model=sizes.resolve(replace(self.model, **model)),
            training=replace(self.training, **training),
        )


def changeable(key: str) -> Parameter:
    """Return the setting of a dotted name as a parameter; BadInput if no variant can change it."""
    if key in CHANGED:
        return CHANGED[key]
    part, _, name = key.partition(".")
    if name.partition(".")[0] in NOT_CHANGED:
        raise BadInput(f"{key} is the same for all variants of a space; set it there")
    names = _of(part, CHANGED)
    raise unknown(f"{part} key", name, names)


def named(point: Mapping[str, Any]) -> str:
    """The point of the axes in words, such as `model.patch=2, training.lr=0.003`."""
    return ", ".join(f"{name}={value}" for name, value in point.items())


def _of(part: str, settings: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """The settings of one part, without its name in front."""
    prefix = f"{part}."
    return {k.removeprefix(prefix): settings[k] for k in settings if k.startswith(prefix)}
