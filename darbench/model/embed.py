"""Embeddings of SiT: patches, positions, timesteps, labels (routing-independent)."""

import math

import torch
from torch import Tensor, nn

from darbench.ops.patches import embed_patches

FREQUENCIES = 128


class PatchEmbed(nn.Module):
    """Patches as tokens: (B, C, H, W) -> (B, T, D), one token per patch, row by row."""

    def __init__(self, patch: int, channels: int, width: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return embed_patches(x, self.proj)


def sincos_positions(width: int, side: int) -> Tensor:
    """Fixed 2-D positions (side * side, width); the first half of the channels encodes the
    column, the second the row; each half is [sin | cos] with base 1e4."""
    omega = 1e4 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * omega
    axis = torch.cat([angles.sin(), angles.cos()], dim=1)  # (side, width / 2)
    columns, rows = axis.repeat(side, 1), axis.repeat_interleave(side, 0)
    return torch.cat([columns, rows], dim=1).float()


def time_features(t: Tensor) -> Tensor:
    """Features of the time t (B,) in [0, 1], not scaled: (B, 2 FREQUENCIES), [cos | sin]."""
    steps = torch.arange(FREQUENCIES, dtype=torch.float32, device=t.device)
    angles = t[:, None] * torch.exp(-math.log(1e4) * steps / FREQUENCIES).to(t.dtype)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimestepEmbedder(nn.Module):
    """Time embedding: t (B,) in [0, 1] -> (B, D), a two-layer MLP of its features."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width)
        )

    def forward(self, t: Tensor) -> Tensor:
        return self.mlp(time_features(t))


class LabelEmbedder(nn.Module):
    """Class embedding: index (B,) -> (B, D); index `classes` is the null class of guidance."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, label: Tensor) -> Tensor:
        return self.embedding_table(label)
