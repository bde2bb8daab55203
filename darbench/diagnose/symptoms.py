"""The three symptoms of plain addition, over depth and time  (DAR, arXiv:2605.20708)."""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from darbench.diagnose.batch import Batch
from darbench.diagnose.measured import Measured, mean_of, root_of
from darbench.diagnose.record import gradients, recorded
from darbench.model.sit import SiT

GRADIENT = "loss of a sample"  # the numerator of a gradient's unit


def symptoms(model: SiT, batch: Batch, times: Tensor) -> dict[str, Measured]:
    """Magnitude, gradient and redundancy of what blocks hand on, at every time.

    rms_z (t, k): RMS(z_k) over samples, tokens and features, the forward magnitude.
    rms_grad_z (t, k): RMS(dLoss / dz_k), Loss the squared error of a sample's velocity. It is the
        gradient through all that is computed from this tensor: where a routing reads its stream
        as it is, as `add` does, through all later sites; where it makes each read anew, through
        the site that reads it.
    rms_grad_v (t, j): RMS(dLoss / dv_j), through the whole rest of the model for every routing;
        for `add` v_2k has the gradient of z_k.
    block_cosine (t, k): cos(z_k, z_k+1) of a token, their mean.
    rms_v (t, j): RMS(v_j). Unlike z_k's, it does not depend on whether the routing adds or
        averages.
    relative_grad_z, relative_grad_v: RMS of |z| |dLoss / dz| of a token, by the size of which a
        relative change is meant: the same for z and for c z, of which readers see the same.
    Memory is that of a training step on as many samples as times and images make.
    """
    other, recorder = recorded(model)
    with torch.enable_grad():
        loss = batch.transport.velocity_loss(other, *batch.at(times)).sum()
    v, z = recorder.v, recorder.h[::2]
    grads = gradients(loss, [*v, *z])
    grad_v, grad_z = grads[: len(v)], grads[len(v) :]
    n = len(batch.x1)
    cosines = [cosine_similarity(a, b, dim=-1).mean(-1) for a, b in pairwise(z)]
    return {
        "rms_z": _rms(z, n, "k", "activation"),
        "rms_v": _rms(v, n, "j", "activation"),
        "rms_grad_z": _rms(grad_z, n, "k", f"{GRADIENT} / activation"),
        "rms_grad_v": _rms(grad_v, n, "j", f"{GRADIENT} / activation"),
        "relative_grad_z": _rms(_relative(z, grad_z), n, "k", GRADIENT),
        "relative_grad_v": _rms(_relative(v, grad_v), n, "j", GRADIENT),
        "block_cosine": mean_of(_by_time(cosines, n), ("t", "k")),
    }


def _relative(x: list[Tensor], grad: list[Tensor]) -> list[Tensor]:
    """|x| |dLoss / dx| of every token, (B, T, 1)."""
    pairs = zip(x, grad, strict=True)
    return [a.norm(dim=-1, keepdim=True) * g.norm(dim=-1, keepdim=True) for a, g in pairs]


def _rms(x: list[Tensor], n: int, depth: str, unit: str) -> Measured:
    return root_of(_by_time([a.square().flatten(1).mean(1) for a in x], n), ("t", depth), unit)


def _by_time(samples: list[Tensor], n: int) -> Tensor:
    """Numbers of all samples at every depth, (t n,) each, as (t, depth, n)."""
    return torch.stack([x.unflatten(0, (-1, n)) for x in samples], dim=1)
