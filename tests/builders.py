"""Small models, routings and inputs that the tests share, and the settings they loop over."""

from functools import partial

import torch
from torch import Tensor

from darbench import registry
from darbench.model.sit import SiT
from darbench.routing.base import Cond, Routing

torch.set_num_threads(1)  # the models are tiny, and the order of sums does not vary

# Every built-in routing in every setting that takes another path through its code.
SETTINGS: list[tuple[str, dict]] = [
    ("add", {}),
    ("denseformer", {}),
    ("denseformer", {"period": 2}),
    ("denseformer", {"dilation": 2}),
    ("hyper", {"dynamic": False, "streams": 1}),
    ("hyper", {"dynamic": False, "streams": 2}),
    ("hyper", {"dynamic": True, "streams": 4}),
    ("hyper", {"dynamic": True, "streams": 2, "tanh": False}),
    ("dar", {"query": "static"}),
    ("dar", {"query": "static_t"}),
    ("dar", {"query": "static_t", "t_source": "reuse"}),
    ("dar", {"query": "static_t", "t_source": "reuse", "history": "full"}),
    ("dar", {"query": "dynamic"}),
    ("dar", {"query": "static", "history": "full"}),
    ("dar", {"query": "static_t", "history": "full"}),
    ("dar", {"query": "dynamic", "history": "full"}),
    ("dar", {"query": "static", "span": 1}),
    ("dar", {"query": "static_t", "span": 8}),
    ("dar", {"query": "static_t", "history": "chunk_sum"}),
    ("dar", {"query": "dynamic", "history": "chunk_sum", "span": 3}),
    ("dar", {"query": "static_t", "history": "window"}),
    ("dar", {"query": "static", "history": "window", "span": 8}),
    ("dar", {"query": "static_t", "t_source": "bins", "history": "full"}),
    ("dar", {"query": "static_t", "t_source": "fourier", "history": "chunk_sum_raw"}),
    ("dar", {"query": "static_t", "t_source": "film", "history": "dilated", "span": 2}),
    ("dar", {"query": "static_t", "t_source": "label", "history": "log"}),
    ("dar", {"query": "dynamic", "final": "reuse_last", "heads": 4}),
    ("dar", {"query": "static", "gain": False, "scale": "none", "history": "full"}),
    ("dar", {"query": "static_t", "value_gate": False}),
    ("hyper", {"res": "identity"}),
    ("hyper", {"res": "identity", "dynamic": False, "streams": 2}),
    ("attnres", {}),
    ("attnres", {"form": "block", "span": 3, "heads": 4}),
    ("delta_attnres", {}),
    ("delta_attnres", {"form": "block", "null": True}),
    ("deepnorm", {}),
    ("highway", {}),
    ("highway", {"form": "full"}),
    ("layerscale", {}),
    ("layerscale", {"init": 0.1, "one_plus": True}),
    ("mgr", {"streams": 3}),
    ("mhc", {"p_std": 0.0}),
    ("mhc", {"streams": 2, "off": -2.0}),
    ("mhc", {"streams": 3, "form": "permutations", "off": -2.0}),
    ("mudd", {}),
    ("mvsplit", {}),
    ("rezero", {}),
    ("rezero", {"share": "sublayer"}),
    ("siamese", {}),
    ("static_scalars", {}),
    ("unet", {}),
    ("unet", {"init": "xavier", "skip_norm": True}),
    ("unet", {"init": "identity", "skip_norm": True}),
    ("unet", {"fusion": "add", "pairs": "outer"}),
]


def name_of(setting: tuple[str, dict]) -> str:
    name, params = setting
    return "-".join([name, *map(str, params.values())])


def routing_of(setting: tuple[str, dict], sites: int = 8, width: int = 16) -> Routing:
    name, params = setting
    return registry.routing(name)(sites, width, **params)


def sit(setting: tuple[str, dict] = ("add", {}), **changes) -> SiT:
    """A SiT of 4 blocks, 16 tokens and width 16 for 8 x 8 images; `changes` to its arguments."""
    sizes = {
        "depth": 4, "width": 16, "heads": 2, "patch": 2, "side": 8, "channels": 3, "classes": 5,
    }  # fmt: skip
    name, params = setting
    return SiT(partial(registry.routing(name), **params), **sizes | changes)


def images(n: int = 3, channels: int = 3, dtype=torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """x (n, channels, 8, 8), t (n,), label (n,) for `sit`; the last label is the null class."""
    generator = torch.Generator().manual_seed(n)
    x = torch.randn(n, channels, 8, 8, generator=generator, dtype=dtype)
    t = torch.rand(n, generator=generator, dtype=dtype)
    return x, t, torch.arange(6 - n, 6)


@torch.no_grad()
def randomise(module: torch.nn.Module, std: float = 0.3, seed: int = 0) -> None:
    """Add noise to every parameter that is trained."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter += std * noise


def randomise_trunk(model: SiT, std: float = 0.3) -> None:
    for part in (model.x_embedder, model.t_embedder, model.y_embedder, model.final_layer):
        randomise(part, std)
    for number, block in enumerate(model.blocks):
        randomise(block, std, seed=number)


def conditions(batch: int = 2, width: int = 16, dtype=torch.float64, seed: int = 0) -> Cond:
    generator = torch.Generator().manual_seed(seed)
    t, y = torch.randn(2, batch, width, generator=generator, dtype=torch.float64).to(dtype)
    time = torch.rand(batch, generator=generator, dtype=torch.float64).to(dtype)
    return Cond(time=time, label=torch.arange(batch), t=t, y=y, c=t + y)


def outputs(
    sites: int = 8, batch: int = 2, tokens: int = 3, width: int = 16, dtype=torch.float64,
    seed: int = 0,
) -> list[Tensor]:  # fmt: skip
    """v_0 .. v_N of unequal sizes, each (batch, tokens, width)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (sites + 1, batch, tokens, width)
    v = torch.randn(shape, generator=generator, dtype=torch.float64)
    size = torch.rand(sites + 1, 1, 1, 1, generator=generator, dtype=torch.float64) + 0.1
    return list((size * v).to(dtype).unbind())


def reads(routing: Routing, v: list[Tensor], cond: Cond | None = None) -> list[Tensor]:
    """h of every site, then of the head, when the sublayers hand over v[1:] whatever they read."""
    cond = conditions(len(v[0]), routing.width, v[0].dtype) if cond is None else cond
    state = routing.begin(v[0], cond)
    h = []
    for site in range(routing.sites):
        h.append(routing.read(state, site))
        state = routing.write(state, site, v[site + 1])
    return [*h, routing.read(state, routing.sites)]
