import time
from functools import partial

import numpy as np
import pytest
import torch
from builders import SETTINGS, name_of, outputs, reads, routing_of, sit
from torch.utils._python_dispatch import TorchDispatchMode

from darbench.metrics.compute import (
    StepTimer,
    peak_memory,
    percentiles,
    reset_peak_memory,
    step_flops,
)
from darbench.model.sizes import SIZES
from darbench.routing.base import Cond


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


ELEMENTS = {"add": 1, "sub": 1, "mul": 1, "div": 1, "pow": 1, "addcmul": 2, "neg": 1, "lerp": 3}
READS = {"dar": 9, "attnres": 9, "mgr": 9, "delta_attnres": 7}  # softmax reads of 8 sites
REDUCTIONS = {"sum": 1, "mean": 1, "mv": 2}


class Counted(TorchDispatchMode):
    """Counts operations on elements; matrix products with a matrix are counted elsewhere.

    A LayerNorm is a mean, a difference, a square, its mean and a product, 5 an element, 7 with
    weight and bias, in line with an RMSNorm's square, mean and product. Exponentials are free.
    """

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name in ELEMENTS:
            self.flops += ELEMENTS[name] * out.numel()
        elif name == "native_layer_norm":
            self.flops += (5 if args[2] is None else 7) * args[0].numel()
        elif name in REDUCTIONS:
            self.flops += REDUCTIONS[name] * args[0].numel()
        return out


def counted(setting, tokens, width=512):
    with torch.device("meta"):
        routing = routing_of(setting, sites=8, width=width)
        v = [x.to("meta") for x in outputs(8, 1, tokens, width, torch.float32)]
        cond = Cond(*(torch.empty(shape) for shape in ((1,), (1,), *[(1, width)] * 3)))
        with Counted() as mode, torch.no_grad():
            reads(routing, v, cond)
    return mode.flops


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_the_routings_formula_is_the_count_of_its_operations_on_elements(setting):
    """Per token, so without the work on parameters. The formulas leave out what is smaller by a
    factor of the width; those of softmax reads count the first product as a multiply-add."""
    tokens, width = 4, 512
    found = counted(setting, 2 * tokens) - counted(setting, tokens)
    formula = routing_of(setting, sites=8, width=width).elementwise_flops(tokens)
    formula -= READS.get(setting[0], 0) * tokens * width
    assert found == pytest.approx(formula, rel=0.01)


# Time and memory


def test_the_timer_gives_the_milliseconds_between_marks_and_starts_anew():
    timer, started = StepTimer("cpu"), time.perf_counter()
    for pause in (0.0, 0.02, 0.04):
        time.sleep(pause)
        timer.mark()
    times = timer.restart()
    assert len(times) == 2 and times[0] >= 20 and times[1] >= 40
    assert sum(times) <= 1e3 * (time.perf_counter() - started)
    assert timer.restart() == []


def test_percentiles_are_of_all_steps():
    found = percentiles(list(range(101)))
    assert found == {"step_ms_p50": 50, "step_ms_p95": 95}


def test_peak_memory_is_the_highest_since_the_reset():
    reset_peak_memory("cpu")
    before = peak_memory("cpu")
    block = np.ones(2**25)  # 256 MB
    del block
    high = peak_memory("cpu")
    assert high - before > 0.9 * 2**28
    reset_peak_memory("cpu")
    assert peak_memory("cpu") <= high
