"""Checks of how a routing is built, saved, and handed to the optimiser."""

import copy
import inspect
from collections import Counter
from typing import Any, get_type_hints

import torch
from torch import Tensor

from darbench.errors import BadInput
from darbench.registry import ROUTINGS, parameter
from darbench.routing.base import Routing
from darbench.testing.check import check, demand, fail, place
from darbench.testing.inputs import outputs, randomise, reads
from darbench.testing.subject import SITES, WIDTH, Subject, model_of

GATE_FORMS = ("adaln", "one_plus", "none")


@check("built from (sites, width), with keyword-only parameters that have usable defaults")
def constructible(subject: Subject) -> None:
    cls = subject.cls
    demand(
        isinstance(cls, type) and issubclass(cls, Routing),
        f"{cls!r} is not a subclass of darbench.Routing",
        "write `class MyRouting(darbench.Routing):`",
    )
    _signature(cls)
    routing = subject.fresh()
    sizes = (getattr(routing, "sites", None), getattr(routing, "width", None))
    demand(
        sizes == (SITES, WIDTH),
        f"routing.sites, routing.width are {sizes}, built with ({SITES}, {WIDTH})",
        "begin __init__ with super().__init__(sites, width)",
    )
    demand(
        routing.gate in GATE_FORMS,
        f"gate is {routing.gate!r}",
        f"set it to one of {', '.join(GATE_FORMS)}",
    )


def _signature(cls: type[Routing]) -> None:
    arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
    names = [a.name for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)]
    demand(
        names == ["sites", "width"],
        f"the constructor takes ({', '.join(names)}) by position",
        "(self, sites, width, *, ...): search parameters stand after the star",
    )
    hints = get_type_hints(cls.__init__)
    for a in arguments[2:]:
        demand(
            a.kind is a.KEYWORD_ONLY and a.default is not a.empty,
            f"constructor argument {a}: it is no search parameter",
            f"give it a name and a default: {a.name}: type = default",
        )
        try:
            made = parameter(a.name, a.default, hints.get(a.name, Any))
            made.read(made.usual())
        except BadInput as error:
            fail(f"the default is no value of its own parameter: {error}", "change one of the two")


@check("the same seed gives the same initial values")
def reproducible(subject: Subject) -> None:
    one, two = subject.fresh().state_dict(), subject.fresh().state_dict()
    for key in one:
        demand(
            torch.equal(one[key], two[key]),
            f"{key} differs between two routings built under one torch seed",
            "draw initial values with torch (torch.randn, nn.init), not numpy, random or time",
        )


@check("a saved routing, strictly loaded into a new one, reads the same")
def state_dict_round_trip(subject: Subject) -> None:
    routing = subject.random()
    for prefix, module in routing.named_modules():
        for name, value in vars(module).items():
            demand(
                not isinstance(value, Tensor),
                f"{_dotted(prefix, name)} is a plain tensor: neither saved nor moved to a device",
                f"self.register_buffer({name!r}, ...), or nn.Parameter if it is learnt",
            )
    before = list(routing.state_dict())
    wanted = reads(routing, outputs())
    late = set(routing.state_dict()) ^ set(before)
    demand(
        not late,
        f"the state dict changed during a pass: {', '.join(sorted(late))}",
        "create every parameter and buffer in __init__; the optimiser is built before any pass",
    )
    other = subject.fresh(seed=1).double()
    randomise(other, seed=1)
    other.load_state_dict(routing.state_dict(), strict=True)
    for site, (a, b) in enumerate(zip(wanted, reads(other, outputs()), strict=True)):
        demand(
            torch.equal(a, b),
            f"loaded, read(state, {site}) differs: something drawn in __init__ is not saved",
            "keep it as an nn.Parameter or a persistent buffer, or make it a constant",
        )


def _dotted(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


@check("a copy, such as the average that is evaluated, reads its own parameters alone")
def copies_are_apart(subject: Subject) -> None:
    copied = copy.deepcopy(subject.random()).requires_grad_(False)
    for site, h in enumerate(reads(copied, outputs())):
        demand(
            not h.requires_grad,
            f"read for {place(site, SITES)} of a copy depends on parameters of the original",
            "a function or hook that refers to `self` is not copied: use a method, or register "
            "the hook on a module that does without self",
        )


@check("parameter_groups hold every parameter exactly once and obey lr_mult")
def parameter_groups(subject: Subject) -> None:
    routing = subject.fresh()
    groups = routing.parameter_groups()
    for group in groups:
        missing = {"params", "lr_mult", "weight_decay"} - set(group)
        demand(
            not missing,
            f"a parameter group lacks {', '.join(sorted(missing))}",
            '{"params": [...], "lr_mult": 1.0, "weight_decay": None}',
        )
    counts = Counter(id(p) for group in groups for p in group["params"])
    for name, tensor in routing.named_parameters():
        times = counts.pop(id(tensor), 0)
        demand(
            times == 1 or not (times or tensor.requires_grad),
            f"parameter {name} is in {times} of the groups; it would be trained {times} times",
            "list every parameter in exactly one group",
        )
    demand(not counts, "a group holds a tensor that is no parameter", "list parameters only")
    _obeys_lr_mult(subject, routing)


def _obeys_lr_mult(subject: Subject, routing: Routing) -> None:
    takes = "lr_mult" in inspect.signature(subject.cls.__init__).parameters
    if not takes or not any(p.numel() for p in routing.parameters()):
        return
    groups = subject.fresh(lr_mult=0.25).parameter_groups()
    demand(
        any(group["lr_mult"] == 0.25 for group in groups),
        f"with lr_mult=0.25 the groups have {[group['lr_mult'] for group in groups]}",
        "set self.lr_mult = lr_mult in __init__, or hand it over in parameter_groups",
    )


@check("the model's state dict is add's, with add's initial values, and routing.*")
def official_keys(subject: Subject) -> None:
    add = model_of(ROUTINGS.get("add")).state_dict()
    own = subject.model().state_dict()
    trunk = {key: value for key, value in own.items() if not key.startswith("routing.")}
    strange = set(trunk) ^ set(add)
    demand(
        not strange,
        f"trunk keys added or lost: {', '.join(sorted(strange))}",
        "parameters of a routing belong to the routing alone",
    )
    for key, value in add.items():
        same = trunk[key].dtype == value.dtype and torch.equal(trunk[key], value)
        demand(
            same,
            f"{key} starts from other values than with add",
            "a constructor changes nothing outside the routing: no global defaults or generators",
        )
