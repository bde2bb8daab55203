"""The time as a linear model reads it out of a state  (DAR, arXiv:2605.20708)."""

import numpy as np
import torch
from torch import Tensor

from darbench.diagnose.batch import Batch
from darbench.diagnose.measured import Measured
from darbench.diagnose.record import outputs_of
from darbench.flow.parts import TOKENS
from darbench.model.sit import SiT
from darbench.randomness import stream

STRENGTH = 1.0  # of the ridge penalty, on features of unit variance
TRAIN = 0.5  # share of the samples


def probe(model: SiT, batch: Batch, times: Tensor, splits: int = 5) -> dict[str, Measured]:
    """R2 of a ridge regression of t on z_k, the mean over tokens, in the held-out half.

    times: one for each image of the batch, (n,), unlike in the other analyses, such as n equally
    spaced ones in random order. probe_r2 (k,): from each depth, the mean over `splits` random
    halves; NaN where a state is not finite. The error is the standard deviation over halves, not
    divided by their root, for they are halves of the same samples.
    """
    x, t = _seen(batch, times)
    size = max(1, TOKENS // model.pos_embed.shape[1])
    parts = zip(x.split(size), t.split(size), batch.label.split(size), strict=True)
    reads = [[h.mean(1) for h in outputs_of(model, *part).h[::2]] for part in parts]
    pooled = map(torch.cat, zip(*reads, strict=True))
    return {"probe_r2": _over_splits([_r2s(each, t, splits) for each in pooled], ("k",))}


def input_probe(batch: Batch, times: Tensor, splits: int = 5) -> dict[str, Measured]:
    """The same from the values of x_t itself, probe_r2_input (): what needs no model."""
    x, t = _seen(batch, times)
    return {"probe_r2_input": _over_splits(_r2s(x.flatten(1), t, splits), ())}


def probe_times(n: int, batch: Batch) -> Tensor:
    """n equally spaced times of the training span in a fixed random order."""
    order = stream(0, "diagnosis-probe-times").permutation(n)
    return batch.transport.time(torch.from_numpy((order + 0.5) / n).float())


def _seen(batch: Batch, times: Tensor) -> tuple[Tensor, Tensor]:
    """x_t and t of every image of the batch."""
    t = times.to(batch.x1)
    return batch.transport.path.at(t, batch.x1).x(batch.x0, batch.x1), t


def _r2s(features: Tensor, t: Tensor, splits: int) -> list[float]:
    return [_r2(_array(features), _array(t), seed) for seed in range(splits)]


def _r2(features: np.ndarray, t: np.ndarray, seed: int) -> float:
    """R2 in one half of the samples of a ridge regression that was fitted in the other."""
    if not np.isfinite(features).all():
        return float("nan")
    from sklearn.linear_model import Ridge  # takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    order = stream(seed, "diagnosis-split").permutation(len(t))
    train, test = np.split(order, [round(TRAIN * len(t))])
    regression = make_pipeline(StandardScaler(), Ridge(STRENGTH))
    return regression.fit(features[train], t[train]).score(features[test], t[test])


def _over_splits(found: list, axes: tuple[str, ...]) -> Measured:
    r2 = np.array(found)
    spread = r2.std(-1, ddof=1) if r2.shape[-1] > 1 else np.full(r2.shape[:-1], np.nan)
    return Measured(r2.mean(-1), axes, error=spread)


def _array(x: Tensor) -> np.ndarray:
    return x.detach().double().cpu().numpy()
