"""A multiple of what a task sets, such as `4x`: a value for tasks that differ."""

import re
from dataclasses import dataclass
from typing import Any

from darbench.errors import BadInput
from darbench.registry import Parameter

_WRITTEN = re.compile(r"(\d+\.?\d*|\.\d+)x")


@dataclass(frozen=True)
class Multiple:
    factor: float

    def of(self, name: str, value: Any) -> int | float:
        """Return so many times a value, rounded if that is whole.

        name: where the multiple is given. BadInput if the value is no number.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(f"{name}={self}: the task sets {value}, and no number to multiply")
        product = float(f"{self.factor * value:.12g}")  # 0.009, not 3 x 0.003
        return round(product) if isinstance(value, int) else product

    def __str__(self) -> str:
        return f"{self.factor:g}x"


def read_multiple(parameter: Parameter, value: Any) -> Multiple | None:
    """Return what is written as a multiple of a number; None for anything else."""
    numbers = {int, float}.intersection(parameter.types)
    if numbers and isinstance(value, str) and (found := _WRITTEN.fullmatch(value)):
        return Multiple(float(found[1]))
    return None
