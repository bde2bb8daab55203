"""The transport and the objective that a recipe names."""

import math

from darbench.flow.path import PATHS
from darbench.flow.repa import RepaObjective
from darbench.flow.transport import PREDICTIONS, WEIGHTINGS, Objective, Transport
from darbench.model.sit import SiT
from darbench.records.settings import Training


def make_transport(training: Training) -> Transport:
    """Return the transport; REPA adds to the velocity objective, as in its paper."""
    predicted = "velocity" if training.objective == "repa" else training.objective
    return Transport(PATHS[training.path], PREDICTIONS[predicted], WEIGHTINGS[training.weighting])


def make_objective(training: Training, model: SiT, seed: int) -> Objective:
    """Return the objective; ValueError if it does not fit the model."""
    transport = make_transport(training)
    if training.objective != "repa":
        return Objective(transport)
    from darbench.trial.encoders import (  # imports safetensors and networks
        load_encoder,
        try_encoder,
    )

    chosen = training.repa
    encoder = load_encoder(chosen.encoder, chosen.weights, chosen.size)
    side = math.isqrt(model.pos_embed.shape[1]) * model.patch
    try_encoder(encoder, chosen.encoder, (model.channels, side, side))
    try:
        return RepaObjective(
            transport,
            model,
            encoder,
            layer=chosen.layer,
            coefficient=chosen.coefficient,
            hidden=chosen.hidden,
            norm=chosen.norm,
            seed=seed,
        )
    except ValueError as error:
        raise ValueError(f"training.repa.{error}") from None
