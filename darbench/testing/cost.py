"""Checks of a routing's cost, counted on the meta device."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from darbench.routing.base import Cond
from darbench.testing.check import check, demand, fail
from darbench.testing.inputs import outputs, reads
from darbench.testing.subject import SITES, Subject

WIDTH = 512  # so large that operations with one number per token do not matter
CLOSE = 0.25  # a formula counts a sublayer's worth of passes over (T, D), not every rounding

# FLOPs per element of the result; pointwise operations that are not named here count 1.
POINTWISE = {"addcmul": 2, "addcdiv": 2, "lerp": 3, "clone": 0, "_to_copy": 0, "copy": 0}
POINTWISE |= dict.fromkeys(
    ("exp", "log", "sigmoid", "tanh", "gelu", "silu", "sqrt", "rsqrt", "sin", "cos", "softplus"), 0
)
# FLOPs per element of the argument; reductions that are not named here count 1.
REDUCTIONS = {
    "mv": 2,
    "dot": 2,
    "linalg_vector_norm": 2,
    "norm": 2,
    "var": 4,
    "std": 4,
    "var_mean": 4,
    "_softmax": 3,
    "_log_softmax": 3,
    "logsumexp": 3,
    "cumsum": 1,
}


class ElementwiseCounter(TorchDispatchMode):
    """Counts the FLOPs of element-wise operations and of reductions, 2 per multiply-add.

    Products of two matrices are left to torch's FlopCounterMode, which counts nothing else.
    A LayerNorm is a mean, a difference, a square, its mean and a product, 5 an element, 7 with
    weight and bias, in line with an RMSNorm's square, mean and product. Exponentials and roots
    are free.
    """

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name in ("native_layer_norm", "native_group_norm"):
            weight = args[2] if name == "native_layer_norm" else args[1]
            self.flops += (5 if weight is None else 7) * args[0].numel()
        elif name in REDUCTIONS or torch.Tag.reduction in func.tags:
            self.flops += REDUCTIONS.get(name, 1) * args[0].numel()
        elif name in POINTWISE or torch.Tag.pointwise in func.tags:
            self.flops += POINTWISE.get(name, 1) * out.numel()
        return out


def counted(build, tokens: int, sites: int = SITES, width: int = WIDTH) -> tuple[int, int]:
    """Return the forward FLOPs of one sample through all verbs of build(sites, width).

    The first number is of element-wise operations and reductions, the second of matrix products.
    """
    with torch.device("meta"):
        routing = build(sites, width)
        v = [x.to("meta") for x in outputs(sites, 1, tokens, width, torch.float32)]
        time, label = torch.empty(1), torch.zeros(1, dtype=torch.long)
        cond = Cond(time, label, *torch.empty(3, 1, width).unbind())
        products, elements = FlopCounterMode(display=False), ElementwiseCounter()
        with torch.no_grad(), products, elements:
            reads(routing, v, cond)
        reads(routing.train(), v, cond)  # as a trial does; what is drawn there has no content
    return elements.flops, products.get_total_flops()


def counted_per_token(build, sites: int = SITES, width: int = WIDTH) -> tuple[float, float]:
    """Return the FLOPs that one more token costs; work on the parameters alone cancels."""
    few, many = counted(build, 4, sites, width), counted(build, 8, sites, width)
    return (many[0] - few[0]) / 4, (many[1] - few[1]) / 4


@check("elementwise_flops is a whole number, proportional to the number of tokens")
def flops_per_token(subject: Subject) -> None:
    routing = subject.fresh()
    try:
        one, ten = routing.elementwise_flops(1), routing.elementwise_flops(10)
    except NotImplementedError:
        fail("elementwise_flops is not given", _advice(subject))
    for value in (one, ten):
        demand(
            isinstance(value, int) and value >= 0,
            f"elementwise_flops answers {value!r}",
            "a non-negative int: 2 per multiply-add, forward, one sample",
        )
    demand(
        ten == 10 * one,
        f"elementwise_flops(10) is {ten}, elementwise_flops(1) is {one}: not 10 times as much",
        "multiply by tokens, and leave out work on parameters alone",
    )


@check("elementwise_flops is what the verbs really do, matrix products left out")
def flops_formula(subject: Subject) -> None:
    formula = subject.fresh(SITES, WIDTH).elementwise_flops(1)
    elementwise, products = counted_per_token(subject.fresh)
    if abs(formula - elementwise) <= CLOSE * elementwise:
        return
    unit = SITES * WIDTH
    said = f"elementwise_flops gives {formula / unit:.2f} per token, site and channel"
    if products and abs(formula - elementwise - products) <= CLOSE * (elementwise + products):
        fail(
            f"{said}: it includes the matrix products, {products / unit:.2f}",
            f"leave them out, FlopCounterMode counts them already; {_advice(subject)}",
        )
    fail(
        f"{said}, {elementwise / unit:.2f} were counted, besides {products / unit:.2f} in matrix "
        "products (@, linear, einsum), which FlopCounterMode counts",
        _advice(subject),
    )


def _advice(subject: Subject) -> str:
    elementwise, _ = counted_per_token(subject.fresh)
    factor = elementwise / (SITES * WIDTH)
    return (
        f"counted for {SITES} sites: {factor:.2f} * sites * tokens * width (2 per multiply-add; "
        "a dot product of each token is 2 * width)"
    )
