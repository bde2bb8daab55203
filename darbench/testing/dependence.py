"""Checks of what a read may depend on besides its sources."""

import torch

from darbench.routing.base import Cond
from darbench.state.fingerprint import changed
from darbench.state.generators import foreign_positions, positions
from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads
from darbench.testing.subject import SITES, Subject


@check("samples of a batch do not mix")
def samples_are_independent(subject: Subject) -> None:
    """There are as many samples as tokens, so that a wrong broadcast raises no error."""
    routing, v, cond = subject.random(), outputs(batch=4, tokens=4), conditions(batch=4)
    together = reads(routing, v, cond)
    for b in range(4):
        alone = reads(routing, [x[b : b + 1] for x in v], Cond(*(x[b : b + 1] for x in cond)))
        for site, (h, one) in enumerate(zip(together, alone, strict=True)):
            demand(
                torch.allclose(h[b : b + 1], one, rtol=1e-9, atol=1e-11),
                f"read for {place(site, SITES)}: sample {b} differs from the same sample alone",
                "no softmax, mean or norm over the batch axis; (B, D) conditions broadcast over "
                "tokens as cond.t.unsqueeze(1), (B, 1, D)",
            )


@check("no randomness at evaluation")
def no_randomness_at_evaluation(subject: Subject) -> None:
    routing, v, cond = subject.random(), outputs(), conditions()
    before = positions() | foreign_positions()
    one, two = reads(routing, v, cond), reads(routing, v, cond)
    for site, (a, b) in enumerate(zip(one, two, strict=True)):
        demand(
            torch.equal(a, b),
            f"read for {place(site, SITES)} differs between two passes with the same inputs",
            "draw nothing at evaluation: dropout only `if self.training`, choices in __init__",
        )
    drawn = changed(before, positions() | foreign_positions())
    demand(
        not drawn,
        f"a verb draws from the global generator of {', '.join(drawn)}",
        "draw nothing at evaluation; the noise of two variants would no longer be paired",
    )


@check("depends on time and label if, and only if, conditioned_on says so")
def declared_conditions(subject: Subject) -> None:
    routing, v = subject.random(), outputs()
    cond, other = conditions(), conditions(seed=1)
    time, label = torch.tensor([0.05, 0.35]).double(), torch.tensor([0, 1])
    cond = cond._replace(time=time, label=label)
    moved = {
        "time": cond._replace(time=1 - time, t=other.t, c=other.t + cond.y),
        "label": cond._replace(label=label + 2, y=other.y, c=cond.t + other.y),
    }
    declared = set(routing.conditioned_on)
    strange = sorted(declared - moved.keys())
    demand(not strange, f"conditioned_on names {strange}", 'a subset of {"time", "label"}')
    before = reads(routing, v, cond)
    for what, other_cond in moved.items():
        after = reads(routing, v, other_cond)
        sites = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if not a.equal(b)]
        demand(
            what in declared or not sites,
            f"the read for {place(sites[0], SITES) if sites else ''} changes with the {what}, "
            f"which conditioned_on, {sorted(declared)}, does not name",
            f'return frozenset({{"{what}", ...}}), or do not use cond there (cond.c holds both)',
        )
        demand(
            what not in declared or bool(sites),
            f"conditioned_on names the {what}, but no read changes with it",
            "use it, or leave it out of conditioned_on",
        )
