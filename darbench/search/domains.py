"""The domains of a search parameter: choices, and ranges of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.registry import Parameter

RANGE_KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True, kw_only=True)
class Choices:
    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.values


@dataclass(frozen=True, kw_only=True)
class Range:
    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, (int, float)) and self.low <= value <= self.high

    def grid(self) -> list[float]:
        """Return low, low + step, ... up to high, both included."""
        count = int((self.high - self.low) / self.step + 1e-9) + 1
        return [self.low + k * self.step for k in range(count)]


Domain = Choices | Range


def read_domain(parameter: Parameter, value: Any) -> Domain | Any:
    """Read choices from a list, a range from a mapping with low and high, or a fixed value."""
    if isinstance(value, Mapping):
        return _range(parameter, value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise BadInput(f"{parameter.name}=[]: choices must not be empty")
        return Choices(values=tuple(parameter.read(item) for item in value))
    return parameter.read(value)


def _range(parameter: Parameter, given: Mapping) -> Range:
    where = parameter.name
    for key in given:
        if key not in RANGE_KEYS:
            raise BadInput(f"{where}: {unknown('range key', str(key), RANGE_KEYS)}")
    if "low" not in given or "high" not in given:
        raise BadInput(f"{where}: a range needs low and high, got {dict(given)}")
    given_ends = {
        key: parameter.read(given[key]) for key in ("low", "high", "step") if key in given
    }
    if not all(type(value) in (int, float) for value in given_ends.values()):
        raise BadInput(f"{where}: a range needs numbers, got {dict(given)}")
    log = given.get("log", False)
    if type(log) is not bool:
        raise BadInput(f"{where}: log={log!r}: must be true or false")
    domain = Range(log=log, **given_ends)
    if not domain.low < domain.high or given_ends.get("step", 1) <= 0 or (log and domain.low <= 0):
        raise BadInput(f"{where}: a range needs low < high, step > 0, and low > 0 with log")
    if log and domain.step is not None:
        raise BadInput(f"{where}: a range has log or step, not both")
    return domain


def ends(domain: Domain) -> Sequence[Any]:
    return domain.values if isinstance(domain, Choices) else (domain.low, domain.high)
