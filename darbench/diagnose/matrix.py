"""The routing matrix: what a read is of each output, as a derivative."""

from collections.abc import Container

import torch
from torch import Tensor

from darbench.diagnose.batch import Batch
from darbench.diagnose.measured import Measured, mean_of
from darbench.diagnose.record import gradients, outputs_of, replay
from darbench.model.sit import SiT


def routing_matrix(
    model: SiT, batch: Batch, times: Tensor, signs: Tensor, sites: Container[int] | None = None
) -> dict[str, Measured]:
    """A[i, j] = mean of e . d(e . h_i) / dv_j over random signs e, per token and feature.

    routing_matrix (t, i, j): the mean of the diagonal of dh_i / dv_j (Hutchinson, 1990), which is
    the weight of v_j where h_i is a weighted sum. h_i depends on v_j through the routing alone,
    the logits of a softmax included, and not through sublayers. The standard error is that of the
    mean over samples. signs: +1 and -1, (S, n, T, D); they are the same at every time, so that a
    matrix that does not depend on time has no noise over it. sites: whose rows are wanted, all
    unless given; others are NaN. A row costs a backward through the routing up to there.
    """
    recorder = outputs_of(model, *batch.points(times))
    leaves, reads = replay(recorder)
    unread = leaves[0].new_full((len(leaves), len(leaves[0])), torch.nan)
    with torch.enable_grad():
        rows = [
            _row(h, leaves, signs) if sites is None or i in sites else unread
            for i, h in enumerate(reads)
        ]
    samples = torch.stack(rows).unflatten(-1, (len(times), -1))  # i j t n
    return {"routing_matrix": mean_of(samples.permute(2, 0, 1, 3), ("t", "i", "j"))}


def _row(h: Tensor, leaves: list[Tensor], signs: Tensor) -> Tensor:
    """The estimates of every sample, (J, B), means over signs."""
    total = h.new_zeros(len(leaves), len(h))
    for e in signs.to(h):
        e = e.repeat(len(h) // len(e), 1, 1)
        found = gradients(h, leaves, e)
        total += torch.stack([(e * g).flatten(1).mean(1) for g in found])
    return total / len(signs)
