"""The diagnosis in a few numbers, cheap enough for every trial; early ones are proxies."""

from functools import partial

import numpy as np

from darbench.data import Dataset
from darbench.diagnose.batch import random_signs, time_grid, validation_batch
from darbench.diagnose.in_turn import in_turn
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.measures import matrix_measures
from darbench.diagnose.probe import probe, probe_times
from darbench.diagnose.symptoms import symptoms
from darbench.flow.transport import DEFAULT, Transport
from darbench.model.sit import SiT

IMAGES = 8  # at each of TIMES times
TIMES = 9
SIGNS = 1
READERS = 16  # rows of the matrix or up to twice as many, evenly spread: all cost sites squared
PROBED = 256  # images for the probe
SPLITS = 2


def scalar_columns(
    model: SiT,
    dataset: Dataset,
    device: str = "cpu",
    transport: Transport = DEFAULT,
    samples: int = IMAGES * TIMES,
) -> dict[str, float]:
    """The diagnosis of a model in seven numbers; which images, noise and times is always the same.

    samples: how many may pass at once with their graph, at least IMAGES.
    fwd_rms_ratio: RMS(z_k) after the last block over that after the first, geometric mean over t.
    grad_decay_ratio: RMS(dLoss / dv_j) of the last block's two outputs over that of the first's,
        geometric mean over t; below 1 the gradient decays with depth.
    block_cosine: cos(z_k, z_k+1) from the first block on, mean over k and t.
    routing_entropy, lookback_mean: entropy in nat and mean look-back in sublayers of
        |A| / sum |A|, mean over t and sites, of which deep models give every n-th, the head's
        included.
    t_sensitivity: total variation over t of |A| / sum |A|, mean over the same sites.
    probe_r2: R2 of t from z_k, mean over blocks.
    NaN where the model's numbers do not say, as where the last block is shut.
    """
    batch, times = (
        validation_batch(dataset, IMAGES, device, transport),
        time_grid(TIMES, transport),
    )
    signs = random_signs(SIGNS, IMAGES, model.pos_embed.shape[1], model.routing.width)
    sites = range(model.sites, -1, -max(1, model.sites // READERS))
    analyses = symptoms, partial(routing_matrix, signs=signs, sites=sites)
    count = max(1, samples // IMAGES)
    seen, found = (in_turn(partial(each, model, batch), times, count) for each in analyses)
    measures = matrix_measures(found["routing_matrix"])
    many = validation_batch(dataset, PROBED, device, transport)
    probed = probe(model, many, probe_times(PROBED, many), SPLITS)["probe_r2"]
    grad = seen["rms_grad_v"].values
    return {
        "fwd_rms_ratio": _ratio(seen["rms_z"].values[:, -1:], seen["rms_z"].values[:, 1:2]),
        "grad_decay_ratio": _ratio(grad[:, -2:], grad[:, 1:3]),
        "block_cosine": _mean(seen["block_cosine"].values[:, 1:]),
        "routing_entropy": _mean(measures["routing_entropy"].values),
        "lookback_mean": _mean(measures["routing_lookback"].values),
        "t_sensitivity": _mean(measures["routing_variation"].values),
        "probe_r2": float(probed.values[1:].mean()),
    }


def _mean(values: np.ndarray) -> float:
    """The mean of the known; NaN without any, as of a single block's cosine with the next."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _ratio(last: np.ndarray, first: np.ndarray) -> float:
    """Geometric mean over t of the ratio of two RMS, each that of the second axis together."""
    last, first = (np.sqrt(np.square(x).mean(1)) for x in (last, first))
    if not (last > 0).all() or not (first > 0).all():
        return float("nan")
    return float(np.exp(np.log(last / first).mean()))
