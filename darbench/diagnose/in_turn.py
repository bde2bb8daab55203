"""An analysis of a few times after the other, so that memory is that of a few images."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from darbench.diagnose.measured import Measured


def in_turn(
    analysis: Callable[[Tensor], dict[str, Measured]], times: Tensor, count: int = 1
) -> dict[str, Measured]:
    """The analysis of `count` times after the other, put together along the axis t."""
    parts = [analysis(part) for part in times.split(count)]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: list[Measured]) -> Measured:
    first = parts[0]
    if first.axes[0] != "t":
        return first
    errors = None if first.error is None else np.concatenate([part.error for part in parts])
    return first._replace(values=np.concatenate([p.values for p in parts]), error=errors)
