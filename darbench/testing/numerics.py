"""Checks of numbers that occur at the start of training and in large, trained models."""

import torch
from torch import Tensor

from darbench.routing.base import Routing
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads
from darbench.testing.subject import SITES, Subject

STEEPEST = 1e6  # gradient at a zero output; a key norm with eps 1e-6 has 1e3
LARGE = 1e3  # size of an output, as of the massive activations of large transformers
BFLOAT16_ERROR = 0.05  # relative error of a read under bfloat16 autocast
KINDS = {"float32": False, "bfloat16 autocast": True}


def _pass(routing: Routing, v: list[Tensor], autocast: bool) -> list[Tensor]:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        return reads(routing, v, conditions(dtype=torch.float32))


def _demand_finite(routing: Routing, v: list[Tensor], kind: str, situation: str, mend: str):
    """Demand finite reads and gradients; return the largest gradient and whose it is."""
    h = _pass(routing, v, KINDS[kind])
    for site, x in enumerate(h):
        demand(
            bool(x.isfinite().all()),
            f"read for {place(site, SITES)} is not finite {situation}, {kind}",
            mend,
        )
    leaves = {f"v_{i}": x for i, x in enumerate(v)} | dict(routing.named_parameters())
    loss = sum((x.float() - 1).square().mean() for x in h)
    demand(loss.requires_grad, "no read carries a gradient", "no detach, .data or no_grad")
    names, tensors = zip(*[(n, x) for n, x in leaves.items() if x.requires_grad], strict=True)
    gradients = torch.autograd.grad(loss, tensors, allow_unused=True)
    for name, gradient in zip(names, gradients, strict=True):
        demand(
            gradient is None or bool(gradient.isfinite().all()),
            f"the gradient of {name} is not finite {situation}, {kind}",
            mend,
        )
    return max(
        (g.abs().max().item(), n)
        for n, g in zip(names, gradients, strict=True)
        if g is not None and g.numel()
    )


@check("finite with exactly zero outputs, forward and backward, as every fresh model has them")
def finite_at_zero_outputs(subject: Subject) -> None:
    mend = "norm keys with an eps inside the root, x * rsqrt(mean(x^2) + 1e-6), in float32; "
    mend += "no F.normalize, no eps of a low-precision dtype, no division by a norm"
    embedding = outputs(dtype=torch.float32)[0]
    for kind in KINDS:
        for first, situation in (
            (embedding, "while all v_i but v_0 are zero"),
            (0 * embedding, "while all v_i are zero"),
        ):
            routing = subject.random(dtype=torch.float32)
            v = [first, *[torch.zeros_like(first) for _ in range(SITES)]]
            v = [x.clone().requires_grad_() for x in v]
            steepest, name = _demand_finite(routing, v, kind, situation, mend)
            demand(
                steepest < STEEPEST,
                f"the gradient of {name} is {steepest:.0e} {situation}, {kind}",
                mend,
            )


@check("finite with outputs of size 1000, forward and backward, in float32 and bfloat16")
def finite_at_large_outputs(subject: Subject) -> None:
    mend = (
        "softmax from torch (it subtracts the largest), norms in float32, no float16, no bare exp"
    )
    for kind in KINDS:
        routing = subject.random(dtype=torch.float32)
        v = [(LARGE * x).requires_grad_() for x in outputs(dtype=torch.float32)]
        _demand_finite(routing, v, kind, f"with outputs of size {LARGE:.0f}", mend)


@check("reads under bfloat16 autocast are close to those in float64")
def bfloat16_is_close(subject: Subject) -> None:
    v = outputs(dtype=torch.float32)
    low = _pass(subject.random(dtype=torch.float32), v, autocast=True)
    high = reads(
        subject.random(dtype=torch.float32).double(), [x.double() for x in v], conditions()
    )
    for site, (a, b) in enumerate(zip(low, high, strict=True)):
        error = ((a.double() - b).norm() / b.norm()).item()
        demand(
            error < BFLOAT16_ERROR,
            f"read for {place(site, SITES)} is {100 * error:.1f} % off under bfloat16 autocast",
            "keep sums over depth, norms, logits and softmax in float32: x.float()",
        )
