"""All analyses of one model, time by time, so that memory is that of a few images."""

from functools import partial

import numpy as np

from darbench.data import Dataset
from darbench.diagnose.batch import random_signs, time_grid, validation_batch
from darbench.diagnose.gates import gate_gradients
from darbench.diagnose.in_turn import in_turn
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.measured import Measured
from darbench.diagnose.measures import matrix_measures, softmax_measures
from darbench.diagnose.probe import input_probe, probe, probe_times
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
        found |= in_turn(partial(analysis, model, batch), times)
    found |= matrix_measures(found["routing_matrix"])
    if "softmax_weights" in found:
        found |= softmax_measures(found["softmax_weights"], found["softmax_source"])
    many = validation_batch(dataset, PROBED, device, transport)
    spread = probe_times(PROBED, many)
    found |= probe(model, many, spread) | input_probe(many, spread)
    return found, times.double().numpy()
