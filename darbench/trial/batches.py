"""The batches that a trial trains on, the same for every routing of a pair id."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from darbench.data import Dataset
from darbench.randomness import stream


@dataclass
class Batches:
    """Training batches, each of which is a function of (seed, step) alone."""

    dataset: Dataset
    batch: int
    label_dropout: float
    seed: int

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return x1 (B, C, H, W), label (B,), x0 (B, C, H, W) and t (B,); steps count from 1."""
        x1, label = self.dataset.train(
            self.seed, range((step - 1) * self.batch, step * self.batch)
        )
        noise = stream(self.seed, "noise", step)
        x0 = torch.from_numpy(noise.standard_normal(tuple(x1.shape), dtype=np.float32))
        t = torch.from_numpy(noise.random(self.batch, dtype=np.float32))
        dropped = torch.from_numpy(noise.random(self.batch) < self.label_dropout)
        return x1, torch.where(dropped, self.dataset.classes, label), x0, t
