"""What the softmax readers over depth share."""

from typing import Any

from torch import nn


def reader_groups(routing: nn.Module, lr_mult: float) -> list[dict[str, Any]]:
    """Optimiser groups of readers: lr_mult is for the queries, not for the gains of the keys."""
    gains, queries = [], []
    for name, parameter in routing.named_parameters():
        (gains if name == "gain" else queries).append(parameter)
    return [
        {"params": queries, "lr_mult": lr_mult, "weight_decay": None},
        {"params": gains, "lr_mult": 1.0, "weight_decay": None},
    ]
