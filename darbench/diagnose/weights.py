"""The softmax weights of every read over depth, heard from outside."""

import numpy as np
import torch
from torch import Tensor

from darbench.diagnose.batch import Batch
from darbench.diagnose.measured import Measured, mean_of
from darbench.diagnose.record import gradients, outputs_of, replay
from darbench.model.sit import SiT
from darbench.ops.depth_attention.listener import Heard, listening


def softmax_weights(model: SiT, batch: Batch, times: Tensor) -> dict[str, Measured]:
    """The weights of depth attention, means over samples, tokens and heads; {} if nobody reads so.

    softmax_weights (t, i, s): the weight of the s-th source that site i reads, NaN where there is
    none. Where one read takes several softmaxes, their sources follow one another, and together
    the weights sum to one.
    softmax_source (i, s): j of the newest v_j that the source is made of, -1 where of none.
    """
    leaves, reads = replay(outputs_of(model, *batch.points(times)))
    weights, sources = [], []
    with torch.enable_grad(), listening() as heard:
        for _ in reads:
            weights.append([_mean(each, len(times)) / len(heard) for each in heard])
            sources.append([_newest(v, leaves) for each in heard for v in each.values])
            heard.clear()
    most = max(map(len, sources))
    if not most:
        return {}
    table = leaves[0].new_full((len(times), len(sources), most, len(batch.x1)), torch.nan)
    index = np.full((len(sources), most), -1)
    for i, (w, s) in enumerate(zip(weights, sources, strict=True)):
        if s:
            table[:, i, : len(s)] = torch.cat(w, dim=-1).transpose(1, 2)
            index[i, : len(s)] = s
    return {
        "softmax_weights": mean_of(table, ("t", "i", "s")),
        "softmax_source": Measured(index, ("i", "s"), "j"),
    }


def _mean(heard: Heard, times: int) -> Tensor:
    """Mean over tokens and heads, (t, n, J)."""
    return heard.weights.mean((1, 2)).unflatten(0, (times, -1))


def _newest(value: Tensor, leaves: list[Tensor]) -> int:
    """The last of the outputs that a source is made of, -1 if there is none."""
    found = gradients(value, leaves, torch.ones_like(value))
    return max((j for j, g in enumerate(found) if g.any()), default=-1)
