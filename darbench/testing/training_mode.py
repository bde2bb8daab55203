"""Checks of what is different while training: other samples, chance and buffers."""

import copy

import torch
from torch import Tensor

from darbench.routing.base import Routing
from darbench.state.buffers import APART, KEEP, buffers, copied, reshaped, shared
from darbench.state.fingerprint import Fingerprint, changed
from darbench.state.generators import borrowed, foreign_positions
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads
from darbench.testing.subject import SITES, Subject

PASSES = 3
MIXED = (
    "samples of a batch influence each other in training, as with BatchNorm: the buffers stand in "
    "for the others at evaluation, and training.micro_batch is refused"
)


@check("in training, samples of a batch do not mix, unless buffers stand in at evaluation")
def samples_in_training(subject: Subject) -> str:
    """One sample is another; draws are the same, for the shapes are."""
    routing, cond = subject.random().train(), conditions(batch=4)
    before = _buffers(routing)
    v = outputs(batch=4, tokens=4)
    other = [torch.cat([x[:1] + 1, x[1:]]) for x in v]
    one, two = (_seeded(copy.deepcopy(routing), inputs, cond) for inputs in (v, other))
    far = [not torch.allclose(a[1:], b[1:], rtol=1e-9) for a, b in zip(one, two, strict=True)]
    if not any(far):
        return ""
    _seeded(routing, v, cond)
    demand(
        bool(changed(before, _buffers(routing))),
        f"read for {place(far.index(True), SITES)}: a sample depends on the others of its batch "
        "in training, and at evaluation nothing stands in for them",
        "no softmax, mean or norm over the batch axis, but for running statistics in buffers",
    )
    return MIXED


@check("what is drawn in training comes from torch's global generators, seeded at every step")
def draws_in_training(subject: Subject) -> None:
    routing, v, cond = subject.random().train(), outputs(), conditions()
    with borrowed(0):
        before = foreign_positions()
        reads(copy.deepcopy(routing), v, cond)
        drawn = changed(before, foreign_positions())
    mend = "draw with torch.rand, torch.bernoulli, nn.Dropout; no generator of your own, no clock"
    demand(not drawn, f"a verb draws from {', '.join(drawn)}, which no step seeds", mend)
    one, two = (_seeded(copy.deepcopy(routing), v, cond) for _ in range(2))
    for site, (a, b) in enumerate(zip(one, two, strict=True)):
        demand(
            torch.equal(a, b),
            f"read for {place(site, SITES)} differs between two passes from the same seed",
            mend,
        )


@check("buffers keep shape and dtype in training, stay finite, and what changes is saved")
def buffers_in_training(subject: Subject) -> None:
    routing = subject.random().train()
    first = copied(routing)
    for seed in range(PASSES):
        reads(routing, outputs(seed=seed), conditions(seed=seed))
    now, saved = buffers(routing), routing.state_dict()
    what, alias = reshaped(first, now), shared(routing)
    demand(not what, f"training changes {what}", KEEP)
    demand(not alias, alias, APART)
    for name, buffer in now.items():
        if not torch.equal(first[name], buffer):
            _demand_kept(name, buffer, name in saved)


def _demand_kept(name: str, buffer: Tensor, saved: bool) -> None:
    demand(
        bool(buffer.isfinite().all()),
        f"the buffer {name} is not finite after {PASSES} passes",
        "start it from zeros or ones, and divide by nothing that can be zero",
    )
    demand(
        saved,
        f"training changes the buffer {name}, which is not saved",
        "register_buffer(..., persistent=True), the default: what decides reads is in state_dict",
    )


def _seeded(routing: Routing, v: list[Tensor], cond) -> list[Tensor]:
    with borrowed(0):
        return reads(routing, v, cond)


def _buffers(routing: Routing) -> dict[str, object]:
    return {name: Fingerprint().of(x) for name, x in routing.named_buffers()}
