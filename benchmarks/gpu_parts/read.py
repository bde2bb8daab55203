"""The softmax read over depth: the kernels against the naive form, eager and compiled.

Every token has a query of its own, as in dynamic DAR. The forward starts from the sources, the
norm of their keys included; the backward goes to the gradients of query and sources. bfloat16 is
held against the paper's figures; darbench's own sources are float32, under autocast too.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from read_op import fused, naive
from torch import Tensor

from gpu_parts.passes import Form, in_turns
from gpu_parts.record import Row, attempt, pair
from gpu_parts.sizes import compiling

# tokens, width, sources
ALL = {"XL/2": (256, 1152, 57), "S/2": (256, 384, 25)}
CHUNKS = {"XL/2": (256, 1152, 16), "S/2": (256, 384, 9)}
TOY = (4, 32, 3)
BATCH = 32
# arXiv:2605.20708: 57 sources, dynamic; batch, device and precision are not stated.
PAPER = "the paper at XL/2: 1.96 / 13.6 ms; naive 11.5x / 8.5x; memory 0.213x / 0.254x"
CASES = {
    f"softmax read of all sources, bfloat16 ({PAPER})": (ALL, torch.bfloat16),
    "softmax read of all sources, float32": (ALL, torch.float32),
    "softmax read of c4's sources, bfloat16": (CHUNKS, torch.bfloat16),
}
LINES = {title: tuple(sizes) for title, (sizes, _) in CASES.items()}


def rows(device: str) -> Iterator[Row]:
    for title, (sizes, dtype) in CASES.items():
        for name, size in sizes.items():
            given = (TOY, 2) if device == "cpu" else (size, BATCH)
            yield attempt(title, name, partial(measure, *given, dtype, device))


def measure(
    size: tuple[int, int, int], batch: int, dtype: torch.dtype, device: str
) -> tuple[str, dict[str, Any]]:
    tokens, width, count = size
    torch.compiler.reset()
    leaves = [
        torch.randn(batch, tokens, width, device=device, dtype=dtype, requires_grad=True)
        for _ in range(1 + count)
    ]
    forms = {"naive": naive, "compiled": torch.compile(naive, **compiling(device)), "ours": fused}
    found = in_turns({k: _of_leaves(f) for k, f in forms.items()}, leaves, device, repeats=9)
    naive_, compiled, ours = found.values()
    memory = [a / b for a, b in zip(ours.peaks, naive_.peaks, strict=True)]
    cell = (
        f"{pair(*ours.ms)} ms; naive {pair(*naive_.times_of(ours), 'x')}; "
        f"compiled {pair(*compiled.times_of(ours), 'x')}; memory {pair(*memory, 'x')}"
    )
    shape = {"batch": batch, "tokens": tokens, "width": width, "sources": count}
    return cell, shape | {name: passes.figures() for name, passes in found.items()}


def _of_leaves(form: Callable[[Tensor, list[Tensor]], Tensor]) -> Form:
    return lambda query, *values: (form(query, list(values)),)
