"""Validation velocity loss at fixed noise and times, the same for every variant and every seed."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from darbench.data import Dataset
from darbench.flow.transport import DEFAULT, Network, Transport
from darbench.randomness import stream
from darbench.records.rules import MARGIN
from darbench.records.rules import VALIDATION_BINS as BINS

BATCH = 360
RESAMPLES = 200  # their deviation is known to 5 %


@dataclass(frozen=True, kw_only=True)
class ValidationLoss:
    """A model's validation loss, overall and by time."""

    total: float  # mean over images and draws
    bins: list[float]  # mean in BINS equal bins of t
    images: list[float]  # mean over draws of each image


def validation_loss(
    model: Network,
    dataset: Dataset,
    draws: int,
    device: str = "cpu",
    transport: Transport = DEFAULT,
    redraw: int = 0,
) -> ValidationLoss:
    """The `loss_of_items` on the validation images."""
    items = dataset.val(np.arange(dataset.n_val))
    return loss_of_items(model, *items, draws, device, transport, redraw)


@torch.no_grad()
def loss_of_items(
    model: Network,
    x1: Tensor,
    label: Tensor,
    draws: int,
    device: str = "cpu",
    transport: Transport = DEFAULT,
    redraw: int = 0,
) -> ValidationLoss:
    """Mean squared error of the model's velocity on items (N, C, H, W) with labels (N,), whatever
    it predicts, with `draws` pairs of noise and time an item. Another `redraw` takes other pairs.

    In each draw the times of the N items are stratified: one in each of N equal cells of
    [MARGIN, 1 - MARGIN], where every prediction is regular on every path.
    """
    times, losses = [], []
    for draw in range(redraw * draws, (redraw + 1) * draws):
        x0, t = (torch.from_numpy(a) for a in _draw(draw, tuple(x1.shape)))
        parts = zip(*(a.split(BATCH) for a in (x1, label, x0, t)), strict=True)
        for part in parts:
            part = (a.to(device) for a in part)
            losses.append(transport.velocity_loss(model, *part).double().cpu())
        times.append(t)
    t, loss = torch.cat(times), torch.cat(losses)
    cell = (t * BINS).long()
    bins = [loss[cell == b].mean().item() for b in range(BINS)]
    images = loss.view(draws, -1).mean(dim=0).tolist()
    return ValidationLoss(total=loss.mean().item(), bins=bins, images=images)


def resampled_losses(images: list[float]) -> list[float]:
    """Mean losses of RESAMPLES sets of as many images, drawn with replacement from these losses.

    They show how much a loss owes to the choice of the held-out images. The k-th set is always the
    same, so that two models can be compared on it.
    """
    losses, n = np.array(images), len(images)
    chosen = (stream(0, "validation-images", k).integers(n, size=n) for k in range(RESAMPLES))
    return [float(losses[i].mean()) for i in chosen]


def _draw(draw: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Noise x_0 of that shape and stratified times (N,), float32; the seed is always 0."""
    n = shape[0]
    x0 = stream(0, "validation-noise", draw).standard_normal(shape, dtype=np.float32)
    times = stream(0, "validation-time", draw)
    u = (times.permutation(n) + times.random(n)) / n
    return x0, (MARGIN + (1 - 2 * MARGIN) * u).astype(np.float32)
