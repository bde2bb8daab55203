"""Checks of what the verbs return, and that two passes do not meet."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from darbench.routing.base import State
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads, states
from darbench.testing.subject import SITES, Subject


@check("every read is (B, T, D) in the dtype of x, for any batch and number of tokens")
def shapes_and_dtypes(subject: Subject) -> None:
    for dtype, batch, tokens in (
        (torch.float64, 2, 4),
        (torch.float32, 1, 9),
        (torch.float32, 3, 1),
    ):
        v = outputs(batch=batch, tokens=tokens, dtype=dtype)
        for site, h in enumerate(reads(subject.random(dtype=dtype), v)):
            where = f"read for {place(site, SITES)} with x {tuple(v[0].shape)} {dtype}"
            demand(isinstance(h, Tensor), f"{where} is a {type(h).__name__}", "return a tensor")
            demand(
                h.shape == v[0].shape,
                f"{where} has shape {tuple(h.shape)}",
                "return (B, T, D), the shape of x",
            )
            demand(h.dtype == dtype, f"{where} has dtype {h.dtype}", "cast it back: .to(v.dtype)")


@check("the state is tensors in (named) tuples")
def state_is_tensors(subject: Subject) -> None:
    for site, state in enumerate(states(subject.random(), outputs(), conditions())):
        for path, part in leaves(state):
            demand(
                isinstance(part, Tensor),
                f"the state before {place(site, SITES)} holds {type(part).__name__} at {path}",
                "tensors, tuples and NamedTuples only: instead of appending to a list, return "
                "(*sources, v); numbers belong into __init__",
            )


def leaves(state: State, path: str = "state") -> Iterator[tuple[str, Any]]:
    """All parts of a state that are not tuples, with their paths."""
    if not isinstance(state, tuple):
        yield path, state
        return
    fields = getattr(state, "_fields", None)
    for i, part in enumerate(state):
        yield from leaves(part, f"{path}.{fields[i]}" if fields else f"{path}[{i}]")


@check("two passes at once, and two branches of one state, do not meet")
def passes_do_not_meet(subject: Subject) -> None:
    routing, cond = subject.random(), conditions()
    one, two = outputs(seed=1), outputs(seed=2)
    alone = reads(routing, one, cond), reads(routing, two, cond)
    mend = "keep nothing on self and change no state in place; all memory is in the state"
    a, b = routing.begin(one[0], cond), routing.begin(two[0], cond)
    for site in range(SITES + 1):
        for name, state, h in (("first", a, alone[0]), ("second", b, alone[1])):
            demand(
                torch.equal(routing.read(state, site), h[site]),
                f"read for {place(site, SITES)} of the {name} of two interleaved passes differs "
                "from the same pass alone",
                mend,
            )
        if site < SITES:
            written = routing.write(a, site, one[site + 1])
            routing.write(a, site, two[site + 1])  # a branch that is not followed
            a, b = written, routing.write(b, site, two[site + 1])
