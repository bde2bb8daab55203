"""What passes between a model's trunk and its routing, and the routing alone on it again."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from darbench.model.sit import SiT
from darbench.routing.base import Cond, Routing, State


class Recorder(Routing):
    """A routing that keeps what it is given and what it answers; `inner` does the work.

    After a pass: cond; v, the outputs v_0 .. v_N; h, the reads of every site and of the head, as
    the routing answered them, and `seen`, the same as their readers received them. Of `add` h is
    the stream itself, on which all later sites depend; on `seen` only its reader does. What is
    before v_0 gets no gradient, and all after it has one, whatever parameters are frozen.
    """

    def __init__(self, inner: Routing):
        super().__init__(inner.sites, inner.width)
        self.inner = inner

    def begin(self, x: Tensor, cond: Cond) -> State:
        x = x.detach().requires_grad_(torch.is_grad_enabled())
        self.cond, self.v, self.h, self.seen = cond, [x], [], []
        return self.inner.begin(x.clone(), cond)

    def read(self, state: State, site: int) -> Tensor:
        return self._kept(self.inner.read(state, site))

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        h, state = self.inner.take(state, site)
        return self._kept(h), state

    def write(self, state: State, site: int, v: Tensor) -> State:
        self.v.append(v)
        return self.inner.write(state, site, v)

    def _kept(self, h: Tensor) -> Tensor:
        self.h.append(h)
        self.seen.append(h.view_as(h))
        return self.seen[-1]


def recorded(model: SiT) -> tuple[SiT, Recorder]:
    """The model with a recorder for its routing; it shares all weights, and is left as it was."""
    recorder, other = Recorder(model.routing), copy.copy(model)
    other._modules = {**model._modules, "routing": recorder}
    return other, recorder


@torch.no_grad()
def outputs_of(model: SiT, x: Tensor, t: Tensor, label: Tensor) -> Recorder:
    """The record of a pass at x (B, C, H, W), t (B,), label (B,), without a graph."""
    other, recorder = recorded(model)
    other(x, t, label)
    return recorder


def replay(recorder: Recorder) -> tuple[list[Tensor], Iterator[Tensor]]:
    """The outputs v as leaves, and the reads h that the routing makes of them, one by one.

    No sublayer runs, so that h depends on v through the routing alone.
    """
    leaves = [v.detach().requires_grad_() for v in recorder.v]
    return leaves, _reads(recorder.inner, leaves, recorder.cond)


def _reads(routing: Routing, leaves: list[Tensor], cond: Cond) -> Iterator[Tensor]:
    v = [leaf.clone() for leaf in leaves]  # a routing may change what it is given
    state = routing.begin(v[0], cond)
    for site, handed in enumerate(v[1:]):
        h, state = routing.take(state, site)
        yield h
        state = routing.write(state, site, handed)
    yield routing.read(state, len(v) - 1)


def gradients(of: Tensor, by: Sequence[Tensor], cotangent: Tensor | None = None) -> list[Tensor]:
    """The gradients of (of . cotangent), zeros for a tensor that it does not depend on.

    The graph is kept.
    """
    wanted = {id(x): x for x in by if x.requires_grad} if of.requires_grad else {}
    found: Sequence[Tensor | None] = ()
    if wanted:
        inputs = [*wanted.values()]
        found = torch.autograd.grad(of, inputs, cotangent, retain_graph=True, allow_unused=True)
    there = {i: g for i, g in zip(wanted, found, strict=True) if g is not None}
    return [there[id(x)] if id(x) in there else torch.zeros_like(x) for x in by]
