"""Streams and Sinkhorn's normalisation as a GPU runs them: the definition, eager and compiled.

Streams are float32, as they stay under autocast. Memory is in units of the first operand, and the
forward stands beside a copy of it, the least that reading and writing it can take.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from step_time import Shape
from torch import Tensor

from darbench.ops.norm import EPS
from darbench.ops.sinkhorn import definition as sinkhorn
from darbench.ops.streams import definition as streams
from gpu_parts.passes import Form, in_turns
from gpu_parts.record import Row, attempt, digits, pair
from gpu_parts.sizes import compiling, shapes

STREAMS, ITERATIONS = 4, 20


def hyper_connection(
    x: Tensor, weights: Tensor, v: Tensor, rest: Tensor, size: Tensor, product: Tensor
) -> tuple[Tensor, ...]:
    return streams.hyper_connection(x, (weights, v), rest, size, product, EPS, True)


def write(x: Tensor, mix: Tensor, weights: Tensor, v: Tensor) -> tuple[Tensor, ...]:
    return (streams.write_streams(mix, x, weights, v),)


def normalise(logits: Tensor) -> tuple[Tensor, ...]:
    return (sinkhorn.sinkhorn(logits, ITERATIONS),)


# Beside each form the axes of its arguments: batch, tokens, streams, width, and k = streams + 2.
OPERATIONS: dict[str, tuple[Form, str]] = {
    "hyper-connection of 4 streams, from sublayer to sublayer": (
        hyper_connection,
        "btsd btsk btd sk k dk",
    ),
    "mHC's write of 4 streams": (write, "btsd btss bts btd"),
    "Sinkhorn's normalisation of 4 x 4, 20 times": (normalise, "btss"),
}
LINES = {title: ("S/2", "B/2", "XL/2") for title in OPERATIONS}


def rows(device: str) -> Iterator[Row]:
    for title, (form, axes) in OPERATIONS.items():
        for name, shape in shapes(device).items():
            yield attempt(title, name, partial(measure, form, axes, shape, device))


def measure(form: Form, axes: str, shape: Shape, device: str) -> tuple[str, dict[str, Any]]:
    torch.compiler.reset()
    tokens = (shape.side // 2) ** 2
    sizes = {"b": shape.batch, "t": tokens, "s": STREAMS, "d": shape.width, "k": STREAMS + 2}
    leaves = [
        torch.randn([sizes[axis] for axis in word], device=device, requires_grad=True)
        for word in axes.split()
    ]
    forms = {"definition": form, "compiled": torch.compile(form, **compiling(device))}
    found = in_turns(forms, leaves, device, repeats=9)
    found |= in_turns({"copy": lambda x: (x.clone(),)}, leaves[:1], device, repeats=9)
    definition, compiled, copy = found.values()
    memory = [peak / leaves[0].nbytes for peak in definition.peaks]
    cell = (
        f"{pair(*definition.ms)} ms; compiled {pair(*compiled.times_of(definition), 'x')}; "
        f"{digits(definition.ms[0] / copy.ms[0])} copies; memory {pair(*memory, 'x')}"
    )
    return cell, sizes | {name: passes.figures() for name, passes in found.items()}
