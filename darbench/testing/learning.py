"""Checks that all of a routing learns, and that the model around it can."""

import re
from collections import defaultdict
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from darbench.model.sit import SiT
from darbench.routing.base import Routing
from darbench.testing.check import check, demand, fail
from darbench.testing.inputs import images, outputs, randomise, reads
from darbench.testing.subject import SITES, Subject

STEPS = 6  # of AdamW; by then every parameter must have had a gradient
NO_GRADIENT = 1e-13  # in float64; a parameter that learns gets far larger ones
NAN = float("nan")


@check("every parameter matters to the output")
def every_parameter_matters(subject: Subject) -> None:
    model = subject.model().double()
    randomise(model)
    _backward(model)
    dead = _dead({name: _largest(p) for name, p in _trained(model.routing)})
    demand(
        not dead,
        f"no gradient ever reaches {', '.join(dead)}",
        "use it in begin, read or write (without detach or .data), or do not create it",
    )
    unused = _unused_rows(subject)
    demand(
        not unused,
        f"no read depends on {', '.join(unused)}, though one does on an earlier row",
        "one row for each site that uses it (sites + 1 with the head's), and no off-by-one",
    )


@check(f"from the initial values, every parameter has a gradient within {STEPS} AdamW steps")
def gradients_open(subject: Subject) -> None:
    model = subject.model().double().train()
    trained = dict(_trained(model))
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2)
    largest = dict.fromkeys(trained, 0.0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        _backward(model)
        largest = {name: max(largest[name], _largest(p)) for name, p in trained.items()}
        optimizer.step()
    own = {name: size for name, size in largest.items() if name.startswith("routing.")}
    trunk = largest.keys() - own.keys()
    stuck = _dead(own) + sorted(name for name in trunk if largest[name] <= NO_GRADIENT)
    if stuck:
        shown = ", ".join(stuck[:4]) + (f" and {len(stuck) - 4} more" if len(stuck) > 4 else "")
        fail(
            f"stuck at the initial values, without a gradient: {shown}",
            "two factors that both start at zero (a zero gain on adaLN's zero gate, a product of "
            "two zero matrices) never open: start one of them from ones, or set "
            'gate = "one_plus"; and every read must see v_0, the only output not zero at first',
        )


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


def _backward(model: SiT) -> None:
    x, t, label = images(n=6)
    (model(x, t, label) - x.roll(1, 0)).square().mean().backward()


def _largest(parameter: Tensor) -> float:
    if not parameter.numel():
        return 1.0  # an empty parameter cannot be dead, as the skips of a shallow U-Net
    return 0.0 if parameter.grad is None else parameter.grad.abs().max().item()


def _dead(largest: dict[str, float]) -> list[str]:
    """The names of parameters without gradient; those listed by site are judged together.

    One site of a list may be dead by construction: a softmax over one source has no choice.
    """
    families: dict[str, float] = defaultdict(float)
    for name, size in largest.items():
        family = _family(name)
        families[family] = max(families[family], size)
    return [name for name, size in families.items() if size <= NO_GRADIENT]


def _family(name: str) -> str:
    return re.sub(r"\.\d+", ".*", name)


def _unused_rows(subject: Subject) -> list[str]:
    """The rows of per-site parameters that no read uses: a NaN in them reaches none.

    The first rows may be unused, while there is nothing to mix; a row after a used one may not.
    """
    routing = subject.random()
    families: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for name, rows in _stacked(subject, routing).items():
        used = [_sees_nan(routing, row) for row in rows]
        numbered = [f"{name}[{i}]" for i in range(len(rows))] if len(rows) > 1 else [name]
        families[_family(name)] += zip(numbered, used, strict=True)
    unused = []
    for rows in families.values():
        first = [used for _, used in rows].index(True) if any(u for _, u in rows) else len(rows)
        unused += [name for name, used in rows[first:] if not used]
    return unused


def _stacked(subject: Subject, routing: Routing) -> dict[str, list[Tensor]]:
    """The rows of per-site parameters by name.

    Such a parameter has a leading axis that is longer in a deeper model, or is listed by site.
    """
    deeper = dict(subject.fresh(SITES + 4).named_parameters())
    rows = {}
    for name, p in _trained(routing):
        if _family(name) != name:
            rows[name] = [p]
        elif p.dim() and name in deeper and len(deeper[name]) > len(p):
            rows[name] = list(p)
    return rows


@torch.no_grad()
def _sees_nan(routing: Routing, row: Tensor) -> bool:
    kept = row.clone()
    row.fill_(NAN)
    seen = any(bool(h.isnan().any()) for h in reads(routing, outputs()))
    row.copy_(kept)
    return seen
