"""Representation alignment: the hidden state learns to look like a frozen encoder's features."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from darbench.flow.transport import Objective, Transport
from darbench.model.sit import SiT, initialise
from darbench.model.tap import tap
from darbench.ops.sublayers.definition import EPS

Encoder = Callable[[Tensor], Tensor]  # x_1 (B, C, H, W) -> a feature map (B, E, h, w)


class RepaObjective(Objective):
    """loss + coefficient * mean over tokens of -cos(P(z_k), y)  (REPA, Yu et al.,
    arXiv:2410.06940), with z_k from `tap` and y the encoder's features of the clean x_1.

    P is an MLP of three linears with SiLU between, of width `hidden` (2048 in the paper, here
    twice the model's width unless given); its initial values follow the trunk's rule. y is the
    feature map resampled to the token grid, bilinearly where the two differ. An encoder must also
    run on the meta device, where its FLOPs are counted.
    layer: k, 8 of SiT-XL's 28 blocks in the paper. coefficient: 0.5 in the paper.
    norm: puts a LayerNorm without parameters before P. The scale of z_k differs between routings,
    and P is the one consumer of a depth read that has no norm of its own. The paper's model, whose
    routing is `add`, needs none.
    Differs from the official code: time runs from noise to data. The loss does not depend on t,
    so nothing else changes.
    """

    def __init__(
        self,
        transport: Transport,
        model: SiT,
        encoder: Encoder,
        *,
        layer: int,
        coefficient: float = 0.5,
        hidden: int | None = None,
        norm: bool = False,
        seed: int = 0,
    ):
        super().__init__(transport)
        if not 1 <= layer <= model.depth:
            raise ValueError(f"layer={layer}: must be between 1 and the depth, {model.depth}")
        _, self.tokens, self.width = model.pos_embed.shape
        self.grid = int(self.tokens**0.5)
        self.layer, self.coefficient = layer, coefficient
        self.encoder = encoder
        if isinstance(encoder, nn.Module):
            encoder.eval().requires_grad_(False)
        side = self.grid * model.patch
        features = self._target(torch.zeros(1, model.channels, side, side)).shape[-1]
        hidden = hidden or 2 * self.width
        with torch.random.fork_rng(devices=[]):  # for the values that `initialise` replaces
            self.projector = nn.Sequential(
                nn.LayerNorm(self.width, EPS, elementwise_affine=False) if norm else nn.Identity(),
                nn.Linear(self.width, hidden),
                nn.SiLU(),
                nn.Linear(hidden, hidden),
                nn.SiLU(),
                nn.Linear(hidden, features),
            )
        initialise(self.projector, seed, zero_t_embed=False)

    def forward(self, model: SiT, x1: Tensor, label: Tensor, x0: Tensor, u: Tensor) -> Tensor:
        with tap(model, self.layer) as reads:
            loss = super().forward(model, x1, label, x0, u)
        (z,) = reads
        return loss - self.coefficient * self.alignment(z, x1)

    def alignment(self, z: Tensor, x1: Tensor) -> Tensor:
        """Mean cosine over tokens, (B,), of the projected z (B, T, D) with the features of x1."""
        projected, target = self.projector(z), self._target(x1)
        dtype = torch.promote_types(projected.dtype, torch.float32)  # autocast narrows both
        return nn.functional.cosine_similarity(projected.to(dtype), target.to(dtype), -1).mean(1)

    @torch.no_grad()
    def _target(self, x1: Tensor) -> Tensor:
        """The encoder's features at each token, (B, T, E)."""
        features = self.encoder(x1)
        size = (self.grid, self.grid)
        if features.shape[2:] != size:
            features = nn.functional.interpolate(features, size, mode="bilinear")
        return features.flatten(2).mT

    def step_flops(self, batch: int, shape: tuple[int, int, int]) -> float:
        """FLOPs of the encoder's forward pass and of the projector's forward and backward."""
        twin = copy.deepcopy(self).to("meta")
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            z = torch.empty(batch, self.tokens, self.width, requires_grad=True)
            twin.alignment(z, torch.empty(batch, *shape)).sum().backward()
        return float(counter.get_total_flops())
