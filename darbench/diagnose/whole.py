"""All analyses of one model, time by time, so that memory is that of a few images."""

from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor

from darbench.data import Dataset
from darbench.diagnose.batch import random_signs, time_grid, validation_batch
from darbench.diagnose.gates import gate_gradients
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.measured import Measured
from darbench.diagnose.measures import matrix_measures, softmax_measures
from darbench.diagnose.probe import probe, probe_times
from darbench.diagnose.symptoms import symptoms
from darbench.diagnose.weights import softmax_weights
from darbench.flow.transport import DEFAULT, Transport
from darbench.model.sit import SiT

IMAGES = 16  # at each of TIMES times
TIMES = 9
SIGNS = 4
PROBED = 512  # images for the probe


def whole_diagnosis(
    model: SiT, dataset: Dataset, device: str = "cpu", transport: Transport = DEFAULT
) -> tuple[dict[str, Measured], np.ndarray]:
    """Every analysis by name, and the times of their axis t; the same images for every model."""
    batch, times = (
        validation_batch(dataset, IMAGES, device, transport),
        time_grid(TIMES, transport),
    )
    signs = random_signs(SIGNS, IMAGES, model.pos_embed.shape[1], model.routing.width)
    analyses = (symptoms, partial(routing_matrix, signs=signs), gate_gradients, softmax_weights)
    found: dict[str, Measured] = {}
    for analysis in analyses:
        found |= one_by_one(partial(analysis, model, batch), times)
    found |= matrix_measures(found["routing_matrix"])
    if "softmax_weights" in found:
        found |= softmax_measures(found["softmax_weights"], found["softmax_source"])
    many = validation_batch(dataset, PROBED, device, transport)
    found |= probe(model, many, probe_times(PROBED, many))
    return found, times.double().numpy()


def one_by_one(
    analysis: Callable[[Tensor], dict[str, Measured]], times: Tensor
) -> dict[str, Measured]:
    """The analysis at each time alone, put together along the axis t."""
    parts = [analysis(times[i : i + 1]) for i in range(len(times))]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: list[Measured]) -> Measured:
    first = parts[0]
    if first.axes[0] != "t":
        return first
    errors = None if first.error is None else np.concatenate([part.error for part in parts])
    return first._replace(values=np.concatenate([p.values for p in parts]), error=errors)
