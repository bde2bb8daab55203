"""Random inputs, and the output and gradients of a function at them in any precision."""

import torch

from darbench.ops import native


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def gradients(function, inputs, dtype):
    """Output and gradients of sum(output * weights) by every input."""
    leaves = [x.to(dtype).requires_grad_() for x in inputs]
    out = function(*leaves)
    loss = (out * draw(*out.shape, seed=9).to(dtype)).sum()
    return [out, *torch.autograd.grad(loss, leaves)]


def equal(function, inputs, bound=1e-5):
    """Demand that output and gradients in float32 are those in float64."""
    found, wanted = (gradients(function, inputs, d) for d in (torch.float32, torch.float64))
    assert native.takes(found[0])
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape and a.dtype == torch.float32
        assert (a.double() - b).norm() < bound * b.norm()
