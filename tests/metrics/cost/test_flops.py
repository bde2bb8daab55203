from functools import partial

import pytest
import torch
from torch import nn

from darbench.metrics.cost.flops import step_flops
from darbench.model.sizes import SIZES
from darbench.testing.cost import ElementwiseCounter, counted_per_token
from tests.make.models import SETTINGS, name_of, routing_of, sit


def forward_of_add(depth, d, tokens, patch_values, out_values):
    """Multiply-adds of one sample: (those of the patches and of the timestep's first layer, whose
    input needs no gradient; all others)."""
    first = tokens * patch_values * d + 256 * d
    blocks = depth * (tokens * (12 * d**2 + 2 * tokens * d) + 6 * d**2)
    return first, blocks + d**2 + 2 * d**2 + tokens * d * out_values


@pytest.mark.parametrize(
    "sizes", [{}, {"depth": 2, "width": 32, "heads": 4, "patch": 4}, {"learn_sigma": True}]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_step_of_add_costs_what_the_formula_says(sizes, batch):
    patch, depth, width = sizes.get("patch", 2), sizes.get("depth", 4), sizes.get("width", 16)
    values = 3 * patch**2
    first, rest = forward_of_add(
        depth, width, (8 // patch) ** 2, values, values * (1 + sizes.get("learn_sigma", False))
    )
    additions = 2 * depth * (8 // patch) ** 2 * width
    wanted = batch * (2 * 2 * first + 3 * 2 * rest + 3 * additions)
    assert step_flops(partial(sit, **sizes), batch, (3, 8, 8)) == wanted


def imagenet(size, setting=("add", {})):
    depth, width, heads = SIZES[size]
    return partial(
        sit, setting, depth=depth, width=width, heads=heads, side=32, channels=4, classes=1000
    )


@pytest.mark.parametrize(
    ("size", "giga"), [("S", 6.06), ("B", 23.01), ("L", 80.71), ("XL", 118.64)]
)
def test_a_forward_pass_has_the_multiply_adds_printed_for_dit(size, giga):
    """DiT, arXiv:2212.09748, table 4, patch 2; the backward is twice the forward."""
    flops = step_flops(imagenet(size), 1, (4, 32, 32))
    assert flops / 3 / 2 / 1e9 == pytest.approx(giga, rel=2e-3)


@pytest.mark.parametrize(
    ("setting", "own"),
    [
        (("add", {}), 24 * 384),
        (("denseformer", {}), (24 + 2 * 90) * 384),
        (("hyper", {"dynamic": False, "streams": 2}), (24 * (2 * 2 + 2 * 4 + 2 * 2) + 2) * 384),
        (("hyper", {"dynamic": False, "streams": 4}), (24 * (2 * 4 + 2 * 16 + 2 * 4) + 4) * 384),
        (("dar", {"query": "static", "history": "full"}), (4 * 325 + 2 * 25) * 384),
        (("dar", {"query": "static"}), (4 * 130 + 2 * 25) * 384),
        (("dar", {"query": "dynamic"}), (4 * 130 + 2 * 25) * 384 + 25 * 2 * 384**2),
    ],
    ids=lambda x: name_of(x) if isinstance(x, tuple) else "",
)
def test_routings_cost_their_own_part_of_a_step_of_size_s(setting, own):
    """`own`: forward FLOPs a token, matrix products included; the backward is twice that."""
    first, rest = forward_of_add(12, 384, 256, 16, 16)
    wanted = 2 * 2 * first + 3 * (2 * rest + 256 * own)
    assert step_flops(imagenet("S", setting), 1, (4, 32, 32)) == pytest.approx(wanted, rel=1e-12)


READS = {"dar": 1, "attnres": 1, "mgr": 1, "delta_attnres": -1}  # softmax reads beyond sites


@pytest.mark.parametrize(("sites", "width"), [(4, 384), (12, 1152)])
@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_the_routings_formula_is_the_count_of_its_operations_on_elements(setting, sites, width):
    """The formulas leave out what is smaller by a factor of the width; those of softmax reads
    count the first product as a multiply-add."""
    counted, _ = counted_per_token(partial(routing_of, setting), sites=sites, width=width)
    formula = routing_of(setting, sites=sites, width=width).elementwise_flops(1)
    if setting[0] in READS:
        formula -= (sites + READS[setting[0]]) * width
    assert counted == pytest.approx(formula, rel=0.02)


def test_the_counter_separates_work_on_elements_from_matrix_products():
    x, w = torch.ones(2, 3, 8), torch.ones(8, 5)
    with ElementwiseCounter() as mode:
        torch.addcmul(x, x, x)
        x.square().mean(-1)
        x @ w
        w.T @ w[:, 0]  # a matrix-vector product, which torch's counter does not see
        torch.exp(x)
        nn.functional.layer_norm(x, (8,))
    assert mode.flops == 2 * 48 + 2 * 48 + 2 * 40 + 5 * 48
