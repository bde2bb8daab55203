"""A match: `add` widened to the cost of another variant of the space, `match: {flops: LABEL}`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from darbench.cache import remembered
from darbench.data import from_files
from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.registry import is_built_in

MEASURES = {"parameters": "parameters", "flops": "FLOPs a step"}  # in words


@dataclass(frozen=True, kw_only=True)
class Match:
    measure: str  # of MEASURES
    label: str  # of the variant whose cost is matched

    @property
    def words(self) -> str:
        return f"{MEASURES[self.measure]} of {self.label}"

    def widened(self, add: Trial, variant: Trial) -> tuple[int, str]:
        """Return the width of `add`'s MLPs at the variant's cost, and what is left, in words.

        It is kept on disk where it depends on darbench alone. BadInput if no width fits.
        """
        ships = is_built_in(variant.variant.routing) and not from_files(add.task.data)
        if ships and add.training.objective != "repa":
            key = [self.measure, *map(_costs, (add, variant))]
            hidden, off = remembered("match", key, lambda: self._try(add, variant))
        else:
            hidden, off = self._try(add, variant)
        return hidden, f"{self.words} met within {100 * off:+.2f} % by mlp_hidden={hidden}"

    def _try(self, add: Trial, variant: Trial) -> tuple[int, float]:
        from darbench.trial.match import widened  # imports torch

        try:
            return widened(add, variant, self.measure)
        except ValueError as error:
            raise BadInput(f"match to {self.label}: {error}") from None


def read_match(given: Any, routing: str) -> Match | None:
    """Return what an entry says under `match`, None for nothing; BadInput if it makes no sense."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in MEASURES:
        raise BadInput(f"match: must be {{parameters: LABEL}} or {{flops: LABEL}}, got {given!r}")
    if routing != "add":
        raise BadInput(f"match: only `add` is widened to the cost of another, not {routing}")
    ((measure, label),) = given.items()
    return Match(measure=measure, label=str(label))


def _costs(trial: Trial) -> list[Any]:
    """What decides the parameters and the FLOPs of a trial; not its rate, which may be tuned."""
    routing, training = trial.variant, trial.training
    return [
        trial.task.data,
        routing.routing,
        dict(routing.params),
        asdict(trial.model),
        training.batch,
        training.objective,
    ]
