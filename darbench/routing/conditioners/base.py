"""The interface of a conditioner: static queries in, queries of these conditions out."""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from darbench.routing.base import Cond

CONDITIONERS: dict[str, type["Conditioner"]] = {}


class Conditioner(nn.Module):
    """Makes q (R, B, D) of the readers' static queries w (R, D) and the conditions.

    R is the number of readers over depth. At its initial values q must equal w, so that a
    conditioned routing starts as the static one. Forward work is per sample, not per token.
    """

    depends_on: ClassVar[frozenset[str]] = frozenset({"time"})  # of time, label
    starts_static: ClassVar[bool] = True  # q equals w at the initial values

    def __init__(self, readers: int, width: int):
        super().__init__()

    def forward(self, w: Tensor, cond: Cond) -> Tensor:
        raise NotImplementedError


def conditioner(name: str) -> Callable[[type[Conditioner]], type[Conditioner]]:
    """Class decorator: makes a Conditioner a choice of DAR's t_source."""

    def decorate(cls: type[Conditioner]) -> type[Conditioner]:
        if name in CONDITIONERS:
            raise ValueError(f"a conditioner '{name}' exists already: {CONDITIONERS[name]}")
        CONDITIONERS[name] = cls
        return cls

    return decorate
