"""Checks that the verbs change nothing: no input, no state, nothing on the module or outside."""

import torch

from darbench.routing.base import Routing, State
from darbench.state.carried import carried, reachable
from darbench.state.fingerprint import Fingerprint, changed
from darbench.state.generators import borrowed
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs
from darbench.testing.subject import SITES, Subject
from darbench.testing.verbs import leaves


@check("the verbs are pure: inputs, states and module stay as they are, a read can be repeated")
def pure(subject: Subject) -> None:
    outside = reachable(subject.cls)
    routing = subject.random()
    _demand_unchanged(outside, reachable(subject.cls), "its construction")
    held = carried(routing) | _values(dict(routing.named_buffers()))
    _demand_pure(routing)
    now = carried(routing) | _values(dict(routing.named_buffers()))
    _demand_unchanged(held, now, "a pass at evaluation")


@check("pure in training too: buffers alone change, a read from one seed can be repeated")
def pure_in_training(subject: Subject) -> None:
    routing = subject.random().train()
    held = carried(routing)
    _demand_pure(routing)
    _demand_unchanged(held, carried(routing), "a pass in training")


def _demand_pure(routing: Routing) -> None:
    v, cond = outputs(), conditions()
    given = {**{f"v_{i}": x for i, x in enumerate(v)}, **cond._asdict()}
    before, weights = _values(given), _values(dict(routing.named_parameters()))
    state = routing.begin(v[0], cond)
    for site in range(SITES + 1):
        _demand_repeatable(routing, state, site)
        if site < SITES:
            held = _held(state)
            later = routing.write(state, site, v[site + 1])
            _demand_same(held, state, f"write of {place(site, SITES)} changes the given state")
            state = later
    inputs = changed(before, _values(given))
    demand(
        not inputs,
        f"a verb changes its input {inputs[0] if inputs else ''} in place",
        "no +=, add_ or assignment to a part of a tensor: return a new one",
    )
    learnt = changed(weights, _values(dict(routing.named_parameters())))
    demand(
        not learnt,
        f"a verb changes the parameter {learnt[0] if learnt else ''}",
        "only the optimiser changes values",
    )


def _demand_repeatable(routing: Routing, state: State, site: int) -> None:
    held, answers = _held(state), []
    for _ in range(2):
        with borrowed(site):
            answers.append(routing.read(state, site))
    _demand_same(held, state, f"read for {place(site, SITES)} changes its state")
    demand(
        torch.equal(*answers),
        f"read for {place(site, SITES)} answers differently when repeated",
        "compute it from the state alone",
    )


def _demand_same(before: object, state: State, fault: str) -> None:
    demand(
        before == _held(state),
        f"{fault} in place",
        "return a new state: state + v instead of state += v, (*sources, v) instead of append",
    )


def _demand_unchanged(before: dict, after: dict, by: str) -> None:
    names = changed(before, after)
    demand(
        not names,
        f"{names[0] if names else ''} is changed by {by}: it would be kept for the next",
        "put what must be remembered into the state that begin and write return; what is to "
        "outlive a step, as a running mean does, into a buffer that training alone changes",
    )


def _held(state: State) -> object:
    return Fingerprint().of([part for _, part in leaves(state)])


def _values(tensors: dict[str, torch.Tensor]) -> dict[str, object]:
    return {name: Fingerprint().of(x.detach()) for name, x in tensors.items()}
