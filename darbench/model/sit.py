"""SiT: embeddings, a loop over sites, a head. The loop is all that a routing touches."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from darbench.model.embed import LabelEmbedder, PatchEmbed, TimestepEmbedder, sincos_positions
from darbench.model.skip import SKIPS
from darbench.model.sublayers import Block, FinalLayer, modulations
from darbench.randomness import stream
from darbench.routing.base import Cond, Routing
from darbench.state.generators import borrowed


class SiT(nn.Module):
    """Scalable interpolant transformer  (Ma et al., arXiv:2401.08740) with a residual routing.

    The state dict is the official SiT's keys and shapes plus the routing's under `routing.`, and
    those of a time-dependent `skip` under `skip.`. gate: the form of all gates, by default that
    which the routing declares. mlp_hidden: width of the MLPs, by default width x mlp_ratio.
    `routing` is called as routing(sites, width). Every initial value is a function of the seed
    and the parameter's name, so models with different routings start from the same trunk.
    Raises ValueError if the image side is not a multiple of the patch.
    """

    def __init__(
        self,
        routing: Callable[[int, int], Routing],
        *,
        depth: int,
        width: int,
        heads: int,
        patch: int,
        side: int,
        channels: int,
        classes: int,
        mlp_ratio: float = 4.0,
        mlp_hidden: int | None = None,
        gate: str | None = None,
        skip: str = "none",
        learn_sigma: bool = False,
        zero_t_embed: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        if side % patch:
            raise ValueError(f"patch={patch}: must divide the image side, {side}")
        self.patch, self.channels, self.classes, self.depth = patch, channels, classes, depth
        grid = side // patch
        out = patch**2 * channels * (2 if learn_sigma else 1)
        hidden = mlp_hidden or int(width * mlp_ratio)
        routing_module = _seeded(seed, lambda: routing(2 * depth, width))
        self.pos_embed = nn.Parameter(torch.empty(1, grid**2, width), requires_grad=False)
        with torch.random.fork_rng(devices=[]):  # for the values that `initialise` replaces
            self.x_embedder = PatchEmbed(patch, channels, width)
            self.t_embedder = TimestepEmbedder(width)
            self.y_embedder = LabelEmbedder(classes, width)
            self.blocks = nn.ModuleList(
                Block(width, heads, hidden, gate or routing_module.gate) for _ in range(depth)
            )
            self.final_layer = FinalLayer(width, out)
            self.skip = SKIPS[skip]()
        initialise(self, seed, zero_t_embed)
        self.routing = routing_module

    @property
    def sites(self) -> int:
        return 2 * self.depth

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """The velocity, or what else is predicted, (B, C, H, W), at x (B, C, H, W), t (B,) in
        [0, 1], label (B,)."""
        tokens = self.x_embedder(x) + self.pos_embed
        t_embed, y_embed = self.t_embedder(t), self.y_embedder(label)
        cond = Cond(time=t, label=label, t=t_embed, y=y_embed, c=t_embed + y_embed)
        state = self.routing.begin(tokens, cond)
        site = 0
        for block, own in zip(self.blocks, modulations(self.blocks, cond.c), strict=True):
            for sublayer, modulation in block.sublayers(own):
                h, state = self.routing.take(state, site)
                v = sublayer(h, *modulation)
                state = self.routing.write(state, site, v)
                site += 1
        h = self.routing.read(state, self.sites)
        out = self._unpatchify(self.final_layer(h, cond.c))[:, : self.channels]
        return self.skip(x, t, out)

    def _unpatchify(self, tokens: Tensor) -> Tensor:
        """Tokens put together to images, (B, T, p * p * C') -> (B, C', H, W)."""
        grid, p = int(tokens.shape[1] ** 0.5), self.patch
        tiles = tokens.unflatten(1, (grid, grid)).unflatten(-1, (p, p, -1))  # B h w p q C'
        return tiles.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def _seeded(seed: int, build: Callable[[], Routing]) -> Routing:
    """The routing that `build` makes, its parameters drawn from a stream of their own; the global
    generators are left as they were."""
    with borrowed(_seed_of(seed, "routing")):
        return build()


def _seed_of(seed: int, name: str) -> int:
    """The seed of a parameter's initial values, a function of the model's seed and its name."""
    return int(stream(seed, "init", name).integers(2**63))


@torch.no_grad()
def initialise(trunk: nn.Module, seed: int, zero_t_embed: bool) -> None:
    """Set the official initial values, each parameter from its own stream keyed by its name.

    Linears are xavier uniform, and so is the patch convolution on its flattened weight; biases are
    zero; label and timestep embeddings N(0, 0.02); every adaLN linear, the final one and the last
    of a skip zero.
    """
    zeros = ("adaLN_modulation", "final_layer", "skip.mlp.2")
    if zero_t_embed:
        zeros += ("t_embedder.mlp.2",)
    for name, parameter in trunk.named_parameters():
        generator = torch.Generator().manual_seed(_seed_of(seed, name))
        if name == "pos_embed":
            _, tokens, width = parameter.shape
            parameter.copy_(sincos_positions(width, int(tokens**0.5)))
        elif name.endswith("bias") or any(zero in name for zero in zeros):
            nn.init.zeros_(parameter)
        elif name.startswith(("t_embedder", "y_embedder")):
            nn.init.normal_(parameter, std=0.02, generator=generator)
        else:
            nn.init.xavier_uniform_(parameter.flatten(1), generator=generator)
