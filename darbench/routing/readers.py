"""Code shared by the routings whose readers take a softmax over depth."""

from typing import Any

from torch import nn

from darbench.routing.history import additions, sizes


def refuse_misfits(span: int, width: int, heads: int = 1) -> None:
    """Raise a ValueError if a window has no sublayer, or heads do not divide the width."""
    if span < 1:
        raise ValueError(f"span={span}: must be at least 1")
    if heads < 1 or width % heads:
        raise ValueError(f"heads={heads}: must divide the width, {width}")


def reader_groups(routing: nn.Module, lr_mult: float) -> list[dict[str, Any]]:
    """Return optimiser groups, in which lr_mult is for the queries, not for the keys' gains."""
    gains, queries = [], []
    for name, parameter in routing.named_parameters():
        (gains if name == "gain" else queries).append(parameter)
    return [
        {"params": queries, "lr_mult": lr_mult, "weight_decay": None},
        {"params": gains, "lr_mult": 1.0, "weight_decay": None},
    ]


def reader_flops(history: str, span: int, sites: int) -> int:
    """Return the FLOPs per token and channel of sites + 1 readers with this window.

    The dot product and the accumulation of a read are two multiply-adds a source, a key norm is
    one, and a sum of sources is an addition and a norm.
    """
    reads, sums = sum(sizes(history, span, sites)), additions(history, span, sites)
    return 4 * reads + 2 * (sites + 1) + 3 * sums
