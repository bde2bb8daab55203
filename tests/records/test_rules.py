"""Scores of fixed images and a fixed model are as recorded when RULES was last raised."""

import math

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.flow.path import PATHS
from darbench.flow.transport import PREDICTIONS, Transport
from darbench.metrics.scores.reference import reference
from darbench.metrics.scores.score import score
from darbench.metrics.scores.validation import validation_loss
from darbench.randomness import stream
from darbench.records.rules import RULES
from darbench.records.settings import Evaluation
from darbench.trial.generate import generate
from tests.make.models import sit

GOLDEN = {
    3: {
        "fd": 41.12986,
        "fd_inf": 36.871258,
        "fd_inf_se": 2.0225478,
        "fdr": 4.77298021,
        "fdr_se": 1.11130074,
        "sfd": 8.742089,
        "kid": 150.4879,
        "kid_se": 11.123521,
        "inception_score": 8.8615767,
        "precision": 0.46484375,
        "recall": 0.84481561,
        "nn_distance_ratio": 1.4164781,
        "n_gen": 512,
        "n_ref": 1437,
        "n_fdr": 360,
        "val_loss": 2.0720455,
        "bin 0": 2.1137951,
        "bin 1": 2.0755525,
        "bin 2": 2.0916569,
        "bin 3": 2.0067053,
        "euler Linear noise loss": 886.00104,
        "euler Linear noise mean": 140.26827,
        "euler Linear noise spread": 126.82697,
        "heun Linear velocity loss": 2.0832205,
        "heun Linear velocity mean": 124.23173,
        "heun Linear velocity spread": 97.804492,
        "heun GVP score loss": 1116.9523,
        "heun GVP score mean": 123.19459,
        "heun GVP score spread": 127.37294,
        "adaptive GVP velocity loss": 2.4805791,
        "adaptive GVP velocity mean": 124.21286,
        "adaptive GVP velocity spread": 97.839291,
        "heun_sde Linear velocity loss": 2.0832205,
        "heun_sde Linear velocity mean": 123.54399,
        "heun_sde Linear velocity spread": 88.64322,
        "euler_maruyama VP score loss": 51.259258,
        "euler_maruyama VP score mean": 124.95841,
        "euler_maruyama VP score spread": 126.17925,
    }
}


WAYS = [
    ("euler", "Linear", "noise"),
    ("heun", "Linear", "velocity"),
    ("heun", "GVP", "score"),
    ("adaptive", "GVP", "velocity"),
    ("heun_sde", "Linear", "velocity"),
    ("euler_maruyama", "VP", "score"),
]


def measured():
    """The scores of noisy digits, and the loss and samples of a model with fixed weights."""
    data = load("digits")
    images = data.train_images[:512] + stream(0, "golden").normal(0, 60, (512, 8, 8, 1))
    images = np.rint(images.clip(0, 255)).astype(np.uint8)
    real = reference("digits-cnn", data.reference_images, data.val_images, data.reference_labels)
    model = sit(depth=1, channels=1, classes=10).eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            noise = stream(0, "golden", name).normal(0, 0.1, tuple(values.shape))
            values += torch.from_numpy(noise).to(values.dtype)
    loss = validation_loss(model, data, draws=2)
    found = score(images, real, data.train_labels[:512])
    found |= {"val_loss": loss.total, **{f"bin {i}": b for i, b in enumerate(loss.bins)}}
    for sampler, path, prediction in WAYS:
        evaluation = Evaluation(n_gen=130, sampler=sampler, sampler_steps=3, guidance=1.5)
        transport = Transport(PATHS[path], PREDICTIONS[prediction])
        way = f"{sampler} {path} {prediction}"
        found[f"{way} loss"] = validation_loss(model, data, 1, transport=transport).total
        pictures = generate(model, data, evaluation, 0, "cpu", transport).pictures.astype(float)
        found |= {f"{way} mean": float(pictures.mean()), f"{way} spread": float(pictures.std())}
    return found


def test_the_measurement_is_that_of_these_rules():
    found, wanted = measured(), GOLDEN.get(RULES, {})
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4), (
        "the same images or weights measure something else than before; if the measurement "
        f"changed on purpose, raise RULES in darbench/records/rules.py and record here: {found}"
    )
    assert all(map(math.isfinite, found.values()))
