"""Checks that `read` and `take` agree, and that reads can be repeated in any order."""

import torch
from torch import Tensor

from darbench.routing.base import Routing
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads, states
from darbench.testing.subject import SITES, Subject

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}  # of a gradient's norm


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-9, atol=1e-11)


@check("take answers what read answers")
def take_equals_read(subject: Subject) -> None:
    routing, v, cond = subject.random(), outputs(), conditions()
    state = routing.begin(v[0], cond)
    for site in range(SITES + 1):
        h = routing.read(state, site)
        taken, state = routing.take(state, site)
        demand(
            _close(taken, h),
            f"take and read of one state differ for {place(site, SITES)}",
            "write one of the two alone, and the other follows from it: a class of its own `read` "
            "hands its state on as it is, one of its own `take` reads by its first half",
        )
        if site < SITES:
            state = routing.write(state, site, v[site + 1])


@check("a read answers the same whatever was read before it")
def order_of_reads(subject: Subject) -> None:
    routing, v, cond = subject.random(), outputs(), conditions()
    mend = "the state that take hands on must hold the same numbers as the one it was given"
    after_others = reads(routing, v, cond)
    for site, state in enumerate(states(routing, v, cond)):
        demand(
            _close(routing.read(state, site), after_others[site]),
            f"the read for {place(site, SITES)} is another one if no site before it has read",
            mend,
        )
        _, taken = routing.take(state, site)
        demand(
            _close(routing.read(taken, site), after_others[site]),
            f"the read for {place(site, SITES)} is another one if that site has read already",
            mend,
        )


@check("a read can be repeated, by read or take, and every gradient is still right")
def repeated_gradients(subject: Subject) -> None:
    for dtype in TOLERANCE:
        routing = subject.random(dtype=dtype)
        once, often = (_gradients(routing, dtype, repeated) for repeated in (False, True))
        for name, a in once.items():
            b = often[name]
            same = a is None or b is None or _norm(a - b) <= TOLERANCE[dtype] * (1 + _norm(a))
            demand(
                (a is None) == (b is None) and same,
                f"the gradient of {name} changes when a state is read four times, {dtype}",
                "a backward of your own must not add to a tensor that it shares with the backward "
                "of another read: return fresh gradients, autograd adds them up",
            )


def _norm(x: Tensor) -> float:
    return x.norm().item()


def _gradients(routing: Routing, dtype: torch.dtype, repeated: bool) -> dict[str, Tensor | None]:
    """The gradients of a loss over all reads; repeated, each read is the mean of four."""
    v, cond = [x.requires_grad_() for x in outputs(dtype=dtype)], conditions(dtype=dtype)
    state, h = routing.begin(v[0], cond), []
    for site in range(SITES + 1):
        more = [routing.read(state, site), routing.take(state, site)[0]] if repeated else []
        taken, state = routing.take(state, site)
        more += [taken, routing.read(state, site)] if repeated else [taken]
        h.append(sum(more) / len(more))
        if site < SITES:
            state = routing.write(state, site, v[site + 1])
    leaves = {f"v_{i}": x for i, x in enumerate(v)} | dict(routing.named_parameters())
    trained = {name: x for name, x in leaves.items() if x.requires_grad}
    loss = sum((x - 1).square().mean() for x in h)
    demand(loss.requires_grad, "no read carries a gradient", "no detach, .data or no_grad")
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return dict(zip(trained, gradients, strict=True))
