"""What is diagnosed on: the same images and noise at every time, and random signs."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from darbench.data import Dataset
from darbench.flow.transport import DEFAULT, Transport
from darbench.randomness import stream


class Batch(NamedTuple):
    """n images x1 (n, C, H, W), their labels (n,), noise x0 like x1, and the flow between."""

    x1: Tensor
    label: Tensor
    x0: Tensor
    transport: Transport = DEFAULT

    def at(self, times: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x1, label, x0 and t of len(times) n samples, those of the first time first."""
        count, n = len(times), len(self.x1)
        t = times.to(self.x1).repeat_interleave(n)
        images = (x.repeat(count, 1, 1, 1) for x in (self.x1, self.x0))
        x1, x0 = images
        return x1, self.label.repeat(count), x0, t

    def points(self, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_t, t and label of the same samples, what a model takes."""
        x1, label, x0, t = self.at(times)
        return self.transport.path.at(t, x1).x(x0, x1), t, label


def validation_batch(
    dataset: Dataset, count: int, device: str = "cpu", transport: Transport = DEFAULT
) -> Batch:
    """`count` held-out images, the first again with other noise where there are fewer; always the
    same."""
    x1, label = dataset.val(np.arange(count) % dataset.n_val)
    noise = stream(0, "diagnosis-noise").standard_normal(tuple(x1.shape), dtype=np.float32)
    return Batch(x1.to(device), label.to(device), torch.from_numpy(noise).to(device), transport)


def time_grid(count: int = 9, transport: Transport = DEFAULT) -> Tensor:
    """Equally spaced times from noise to data, both ends of the training span included."""
    return transport.time(torch.linspace(0, 1, count))


def random_signs(count: int, n: int, tokens: int, width: int) -> Tensor:
    """Signs +1 and -1, (count, n, T, D), always the same."""
    drawn = stream(0, "diagnosis-signs").integers(2, size=(count, n, tokens, width))
    return torch.from_numpy(2 * drawn - 1)
