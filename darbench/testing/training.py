"""Checks of what a routing starts training from, and that its reads can be recomputed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from darbench.model.sit import SiT
from darbench.ops.sublayers import definition
from darbench.registry import ROUTINGS
from darbench.routing.base import Routing, State
from darbench.testing.check import check, demand
from darbench.testing.inputs import conditions, images, outputs, randomise_trunk, reads
from darbench.testing.subject import Subject, model_of

EQUAL = 1e-5  # relative difference to add in float64
LEVELS = ("no", "weak", "strong")


@check("a fresh model answers exactly zero and learns from there, also under bfloat16 autocast")
def fresh_model_is_zero(subject: Subject) -> None:
    for autocast in (False, True):  # autocast: v_0 and outputs differ in precision
        _demand_zero(subject.model(), autocast)


def _demand_zero(model: SiT, autocast: bool) -> None:
    where = " under bfloat16 autocast" if autocast else ""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = model(*images(dtype=torch.float32))
        demand(
            bool((out == 0).all()),
            f"the model's first output is not zero{where}: the head is, so what it reads is not "
            "finite",
            "make read(state, sites) finite at the initial values",
        )
        (out - 1).square().mean().backward()
    for name, parameter in model.named_parameters():
        demand(
            parameter.grad is None or bool(parameter.grad.isfinite().all()),
            f"the first gradient of {name} is not finite{where}",
            "norms need an eps inside the root; see finite_at_zero_outputs",
        )
    demand(
        bool(model.final_layer.linear.weight.grad.any()),
        f"the head never learns{where}: what it reads is zero, as all outputs but v_0 are at the "
        "start",
        "let every read, the head's above all, see v_0, be it through a sum of outputs",
    )


@check("equals add as declared by equals_add, measured with a random trunk")
def declared_equality_to_add(subject: Subject) -> None:
    """The trunk is random, for every routing would pass on a fresh model: its head is zero."""
    declared = subject.fresh().equals_add
    demand(declared in LEVELS, f"equals_add is {declared!r}", f"one of {', '.join(LEVELS)}")
    with _tiny_eps():
        strong = _difference(subject, randomise_trunk)
        weak = _difference(subject, _random_but_shut)
    measured = "strong" if strong < EQUAL else "weak" if weak < EQUAL else "no"
    demand(
        measured == declared,
        f"equals_add is {declared!r}, measured {measured!r}: the output differs from add's by "
        f"{strong:.1e} of its size with open gates (strong), {weak:.1e} with shut ones (weak)",
        f"return {measured!r}, or mend the initial values (zero queries, identity mixing, ones)",
    )


@contextmanager
def _tiny_eps() -> Iterator[None]:
    """Make LayerNorm's eps so small that h and 2 h give the same output of a sublayer."""
    kept, definition.EPS = definition.EPS, 1e-12
    try:
        yield
    finally:
        definition.EPS = kept


def _difference(subject: Subject, randomised) -> float:
    """The largest difference to add's output with the same trunk, over the largest output."""
    results = []
    for model in (subject.model().double(), model_of(ROUTINGS.get("add")).double()):
        randomised(model)
        with torch.no_grad():
            results.append(model(*images()))
    variant, add = results
    difference = ((variant - add).abs().max() / add.abs().max()).item()
    return difference if difference == difference else float("inf")


def _random_but_shut(model: SiT) -> None:
    """Randomise the trunk, but keep all adaLN gates at zero."""
    randomise_trunk(model)
    for block in model.blocks:
        for parameter in block.adaLN_modulation[1].parameters():
            parameter.data.unflatten(0, (6, -1))[[2, 5]] = 0


@check("gradients are equal when every read is checkpointed")
def checkpointed_gradients(subject: Subject) -> None:
    routing = subject.random()
    plain, recomputed = _gradients(routing, routing), _gradients(routing, Checkpointed(routing))
    for name, (a, b) in {n: (g, recomputed[n]) for n, g in plain.items()}.items():
        demand(
            (a is None) == (b is None) and (a is None or torch.allclose(a, b, rtol=1e-9)),
            f"the gradient of {name} changes when reads are recomputed in the backward",
            "read and take must be pure functions of the state, without randomness or memory",
        )


class Checkpointed:
    """A routing with the same verbs, of which every read is recomputed in the backward."""

    def __init__(self, routing: Routing):
        self.sites, self.width = routing.sites, routing.width
        self.begin, self.write, self._take = routing.begin, routing.write, routing.take

    def take(self, state: State, site: int) -> tuple[Tensor, State]:
        return checkpoint(self._take, state, site, use_reentrant=False)

    def read(self, state: State, site: int) -> Tensor:
        return self.take(state, site)[0]


def _gradients(owner: nn.Module, routing: Routing | Checkpointed) -> dict[str, Tensor | None]:
    v = [x.requires_grad_() for x in outputs()]
    trained = {name: p for name, p in owner.named_parameters() if p.requires_grad}
    named = {f"v_{i}": x for i, x in enumerate(v)} | trained
    loss = sum((h - 1).square().mean() for h in reads(routing, v, conditions()))
    demand(loss.requires_grad, "no read carries a gradient", "no detach, .data or no_grad")
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return dict(zip(named, gradients, strict=True))
