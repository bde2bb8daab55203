"""What the tuned track tries: the same quasi-random points for every variant of a space."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.registry import Signature
from darbench.search.domains import Choices, Range, read_domain
from darbench.search.ground import CHANGED, Ground, changeable
from darbench.search.halton import at, halton
from darbench.search.multiple import read_multiple

PARAMS = "params."
# Trials that differ in these are measured otherwise, or have another budget.
NOT_TUNED = ("steps", "batch", "objective", "path", "ema")
TUNED = [
    key
    for key in CHANGED
    if key.startswith("training.") and key.partition(".")[2] not in NOT_TUNED
]


@dataclass(frozen=True, kw_only=True)
class Tune:
    """What every variant tries, on which seeds; nothing where `over` is empty."""

    trials: int  # points in the ranges
    seeds: tuple[int, ...]
    over: Mapping[str, Any] = field(default_factory=dict)  # values and ranges as they are given

    def __bool__(self) -> bool:
        return bool(self.over)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.over)

    def on(self, ground: Ground) -> "Tune":
        """Return it with numbers in place of multiples, such as `0.5x`, of what a ground sets."""
        over = {
            name: value if name.startswith(PARAMS) else _numbers(name, value, ground.setting(name))
            for name, value in self.over.items()
        }
        return replace(self, over=over)

    def points(self, signature: Signature) -> list[dict[str, Any]]:
        """Return the values that a routing tries, by name as in a variant, each point once.

        A list is tried in full, and its combinations at every point of the ranges. A parameter
        that the routing does not have is left out.
        """
        names = [name for name in self.over if _has(signature, name)]
        domains = {
            name: read_domain(_parameter(signature, name), self.over[name]) for name in names
        }
        lists = {name: _values(d) for name, d in domains.items() if not isinstance(d, Range)}
        points = []
        for listed in product(*lists.values()):
            fixed = dict(zip(lists, listed, strict=True))
            for drawn in self._draws:
                here = {n: at(domains[n], u) for n, u in drawn.items() if n in domains}
                points.append({name.removeprefix(PARAMS): (fixed | here)[name] for name in names})
        return [point for i, point in enumerate(points) if point not in points[:i]]

    @cached_property
    def _draws(self) -> list[dict[str, float]]:
        """Points of the unit cube that the ranges span, the same whatever the routing."""
        ranges = [name for name, value in self.over.items() if isinstance(value, Mapping)]
        return [dict(zip(ranges, each, strict=True)) for each in halton(self.trials, len(ranges))]


def need_tunable(
    tune: Tune, signatures: Collection[Signature], ranked: Collection[int], axes: Collection[str]
) -> None:
    """Raise BadInput for what cannot be tuned in a space of these routings, seeds and axes."""
    for name in tune.over:
        if name in axes:
            raise BadInput(f"tune.over: {name} is an axis of the space; take it from one of them")
        if name.startswith(PARAMS):
            _need_parameter(name, signatures)
        elif name.removeprefix("training.") in NOT_TUNED or name.startswith("model."):
            raise BadInput(
                f"tune.over: {name} decides what is measured, or at which budget, and is the same "
                "for all variants; take it out"
            )
        elif name not in TUNED:
            raise unknown("setting in tune.over:", name, TUNED)
    if tune.trials < 1:
        raise BadInput(f"tune.trials={tune.trials}: must be at least 1")
    if not tune.seeds or len(set(tune.seeds)) < len(tune.seeds):
        raise BadInput(f"tune.seeds={list(tune.seeds)}: must be distinct, at least one")
    if both := sorted(set(tune.seeds) & set(ranked)):
        raise BadInput(
            f"tune.seeds: {both} are in seeds too, and seeds that picked a winner never rank it"
        )


def _need_parameter(name: str, signatures: Collection[Signature]) -> None:
    known = {key for signature in signatures for key in signature.parameters}
    if name.removeprefix(PARAMS) not in known:
        kind = "parameter in tune.over, of no routing of the space:"
        raise unknown(kind, name, (f"{PARAMS}{key}" for key in known))


def _numbers(name: str, value: Any, of: Any) -> Any:
    """A value, list or range of a setting with its multiples taken of a number."""
    if isinstance(value, list):
        return [_numbers(name, each, of) for each in value]
    if isinstance(value, Mapping):
        return {key: _numbers(name, each, of) for key, each in value.items()}
    multiple = read_multiple(changeable(name), value)
    return value if multiple is None else multiple.of(f"tune.over.{name}", of)


def _has(signature: Signature, name: str) -> bool:
    return not name.startswith(PARAMS) or name.removeprefix(PARAMS) in signature.parameters


def _parameter(signature: Signature, name: str) -> Any:
    if name.startswith(PARAMS):
        return signature.parameter(name.removeprefix(PARAMS))
    return changeable(name)


def _values(domain: Any) -> Sequence[Any]:
    return domain.values if isinstance(domain, Choices) else (domain,)
