"""Counterfactual gates: what the loss would do if a reader took more of one source."""

import torch
from torch import Tensor

from darbench.diagnose.batch import Batch
from darbench.diagnose.measured import Measured, mean_of
from darbench.diagnose.record import gradients, recorded, replay
from darbench.model.sit import SiT


def gate_gradients(model: SiT, batch: Batch, times: Tensor) -> dict[str, Measured]:
    """dLoss / dg[i, j] at g = 1, of gates with h_i = R_i(g[i, 0] v_0, .., g[i, i] v_i), (t, i, j).

    For plain addition these are the counterfactual gates of DAR (arXiv:2605.20708), with
    h_i = sum_j g[i, j] v_j; a routing of any other form is gated at the same place. A gate is of
    one reader: others take v_j as it is. Mean over samples of each one's squared error of the
    velocity; negative where taking more of v_j would help.
    """
    other, recorder = recorded(model)
    with torch.enable_grad():
        loss = batch.transport.velocity_loss(other, *batch.at(times)).sum()
    received = gradients(loss, recorder.seen)
    leaves, reads = replay(recorder)
    with torch.enable_grad():
        rows = [_row(h, leaves, g) for h, g in zip(reads, received, strict=True)]
    samples = torch.stack(rows).unflatten(-1, (len(times), -1))  # i j t n
    return {"gate_gradient": mean_of(samples.permute(2, 0, 1, 3), ("t", "i", "j"), "loss")}


def _row(h: Tensor, leaves: list[Tensor], received: Tensor) -> Tensor:
    """v_j . d(received . h) / dv_j of every sample, (J, B)."""
    found = zip(leaves, gradients(h, leaves, received), strict=True)
    return torch.stack([(v.detach() * g).flatten(1).sum(1) for v, g in found])
