"""Queries and sources for reads over depth, and how far results are from those wanted."""

import torch

FORMS = ["one", "per sample", "per token"]


def queries(batch, tokens, width, form):
    shape = {
        "one": (width,),
        "per sample": (batch, 1, width),
        "per token": (batch, tokens, width),
    }[form]
    generator = torch.Generator().manual_seed(1)
    q = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return q.requires_grad_()


def outputs(count: int, shape: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    sizes = torch.logspace(-1, 1, count, dtype=torch.float64)
    return [s * torch.randn(shape, generator=generator, dtype=torch.float64) for s in sizes]


def distance(found, wanted):
    pairs = [(a.double(), b) for a, b in zip(found, wanted, strict=True) if b.norm() > 1e-9]
    return max(((a - b).norm() / b.norm()).item() for a, b in pairs)
