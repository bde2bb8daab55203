"""Checks of which outputs a read depends on, and of models of other sizes."""

import torch

from darbench.testing.check import check, demand, place
from darbench.testing.inputs import conditions, outputs, reads
from darbench.testing.subject import DEPTH, SITES, Subject

NO_DEPENDENCE = 1e-10  # a gradient, as a fraction of the largest one in float64
ANY_SIZE = "derive every size from `sites` and `width`"
SIZES = ((2, 16), (3, 16), (12, 16), (4, 32))  # depth, width


@check("a read depends on what was written before it, never on what comes later")
def causal(subject: Subject) -> None:
    routing, v, cond = subject.random(), outputs(), conditions()
    made, on_the_way = [routing.begin(v[0], cond)], []
    for site in range(SITES + 1):
        on_the_way.append(routing.read(made[site], site))
        if site < SITES:
            made.append(routing.write(made[site], site, v[site + 1]))
    for site, state in enumerate(made):
        demand(
            torch.equal(routing.read(state, site), on_the_way[site]),
            f"read for {place(site, SITES)} answers differently once later sites have written",
            "write returns a new state, the old one stays: no shared list, nothing on self",
        )
    for i in range(1, SITES + 1):
        changed = [*v[:i], v[i] + 1, *v[i + 1 :]]
        after = reads(routing, changed, cond)
        for site in range(i):
            demand(
                torch.equal(on_the_way[site], after[site]),
                f"read for {place(site, SITES)} depends on v_{i}, written later by site {i - 1}",
                "read from the state of this pass; nothing may survive from an earlier pass",
            )


@check("a read depends on exactly the v_i that sources(site) names")
def declared_sources(subject: Subject) -> None:
    routing, cond = subject.random(), conditions()
    v = [x.requires_grad_() for x in outputs()]
    for site, h in enumerate(reads(routing, v, cond)):
        declared, actual = set(routing.sources(site)), _dependence(h, v)
        possible = set(range(site + 1))
        where = f"sources({site}), {place(site, SITES)}, is {sorted(declared)}"
        demand(
            declared <= possible,
            f"{where}: only v_0 .. v_{site} exist there",
            "v_{i + 1} is what site i hands over; before site i there are v_0 .. v_i",
        )
        demand(
            not actual - declared,
            f"{where}, but the read also depends on v_i of i = {sorted(actual - declared)}",
            "declare them in sources(site), or mend the selection (an off-by-one?)",
        )
        demand(
            not declared - actual,
            f"{where}, but the read does not depend on v_i of i = {sorted(declared - actual)}",
            "use them, or override sources(site) to leave them out (an off-by-one?)",
        )


def _dependence(h: torch.Tensor, v: list[torch.Tensor]) -> set[int]:
    """The indices of the outputs that get a gradient from a random cotangent of h."""
    if not h.requires_grad:
        return set()
    cotangent = torch.randn(h.shape, generator=torch.Generator().manual_seed(1), dtype=h.dtype)
    gradients = torch.autograd.grad(h, v, cotangent, retain_graph=True, allow_unused=True)
    sizes = [0.0 if g is None else g.abs().max().item() for g in gradients]
    return {i for i, size in enumerate(sizes) if size > NO_DEPENDENCE * max(sizes)}


@check("works at depths 2, 3 and 12 and at two widths")
def any_size(subject: Subject) -> None:
    for depth, width in SIZES:
        where = f"at depth {depth} ({2 * depth} sites) and width {width}"
        if depth < DEPTH and subject.refuses(2 * depth):
            continue
        try:
            h = reads(subject.random(2 * depth, width), outputs(2 * depth, width=width))
        except Exception as error:
            error.add_note(f"This is {where}.\nTo mend: {ANY_SIZE}")
            raise
        for site, x in enumerate(h):
            demand(
                x.shape == (2, 3, width) and bool(x.isfinite().all()),
                f"the read for {place(site, 2 * depth)} is not finite or not (B, T, D) {where}",
                ANY_SIZE,
            )
