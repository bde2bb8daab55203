"""Checks of what the verbs return, and that they change nothing."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from darbench.routing.base import Routing, State
from darbench.testing.check import check, demand, fail, place
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


def copies(state: State) -> list[Any]:
    return [p.clone() if isinstance(p, Tensor) else frozen(p) for _, p in leaves(state)]


def frozen(value: Any) -> Any:
    """A fingerprint of a value that shows whether it was changed or replaced."""
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    if isinstance(value, list | set | tuple):
        return [id(item) for item in value]
    return value if isinstance(value, int | float | str | bool) else id(value)


def same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor):
        return isinstance(after, Tensor) and torch.equal(before, after)
    return before == after


@check("the verbs are pure: inputs, states and module stay as they are, a read can be repeated")
def pure(subject: Subject) -> None:
    routing, v, cond = subject.random(), outputs(), conditions()
    given, own = [x.clone() for x in (*v, *cond)], _attributes(routing)
    values = {key: value.clone() for key, value in _tensors_of(routing).items()}
    state = routing.begin(v[0], cond)
    for site in range(SITES + 1):
        before = copies(state)
        first, again = routing.read(state, site), routing.read(state, site)
        _demand_same(before, state, f"read for {place(site, SITES)} changes its state")
        demand(
            torch.equal(first, again),
            f"read for {place(site, SITES)} answers differently when repeated",
            "compute it from the state alone",
        )
        if site < SITES:
            later = routing.write(state, site, v[site + 1])
            _demand_same(before, state, f"write of {place(site, SITES)} changes the given state")
            state = later
    changed = [
        i for i, (x, y) in enumerate(zip(given, (*v, *cond), strict=True)) if not same(x, y)
    ]
    demand(
        not changed,
        f"a verb changes its input {_input_name(changed[0]) if changed else ''} in place",
        "no +=, add_ or assignment to a part of a tensor: return a new one",
    )
    _demand_untouched(own, _attributes(routing), values, _tensors_of(routing))


def _demand_same(before: list[Any], state: State, fault: str) -> None:
    demand(
        all(map(same, before, copies(state))),
        f"{fault} in place",
        "return a new state: state + v instead of state += v, (*sources, v) instead of append",
    )


def _input_name(i: int) -> str:
    return f"v_{i}" if i <= SITES else "cond"


def _attributes(routing: Routing) -> dict[str, Any]:
    """A fingerprint of everything that is stored on the module and its parts."""
    return {
        f"{prefix}.{name}" if prefix else name: frozen(value)
        for prefix, module in routing.named_modules()
        for name, value in vars(module).items()
    }


def _tensors_of(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _demand_untouched(own, now, values, tensors) -> None:
    for name in sorted(own.keys() | now.keys()):
        if own.get(name) != now.get(name) or (name in own) != (name in now):
            fail(
                f"a verb stores something on the module: self.{name} changed during a pass",
                "put what must be remembered into the state that begin and write return",
            )
    for name, value in values.items():
        demand(
            name in tensors and torch.equal(value, tensors[name]),
            f"a verb changes the parameter or buffer {name}",
            "only the optimiser changes values; keep running values out of the routing",
        )


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
