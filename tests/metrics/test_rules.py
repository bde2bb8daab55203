"""What fixed images and a fixed model measure, as it was when the rules got their version."""

import math

import numpy as np
import pytest
import torch
from builders import sit

from darbench.data import load
from darbench.generate import generate
from darbench.metrics.reference import reference
from darbench.metrics.scores import score
from darbench.metrics.validation import validation_loss
from darbench.records import Evaluation
from darbench.rules import RULES
from darbench.streams import stream

GOLDEN = {
    1: {
        "fd": 41.12986,
        "fd_inf": 34.547241,
        "fd_inf_se": 2.6249972,
        "sfd": 8.742089,
        "kid": 146.97766,
        "kid_se": 14.865252,
        "inception_score": 8.8615768,
        "precision": 0.46484375,
        "recall": 0.84481561,
        "nn_distance_ratio": 1.4164781,
        "n_gen": 512,
        "n_ref": 1437,
        "val_loss": 2.0720229,
        "bin 0": 2.1138294,
        "bin 1": 2.0755652,
        "bin 2": 2.09182,
        "bin 3": 2.0068771,
        "heun mean": 124.23173,
        "heun spread": 97.804492,
        "heun_sde mean": 123.54399,
        "heun_sde spread": 88.64322,
    },
}


def measured():
    """Scores of noisy digits, and of a model with fixed weights its loss and its samples."""
    data = load("digits")
    images = data.train_images[:512] + stream(0, "golden").normal(0, 60, (512, 8, 8, 1))
    images = np.rint(images.clip(0, 255)).astype(np.uint8)
    real = reference("digits-cnn", data.train_images, data.val_images)
    model = sit(depth=1, channels=1, classes=10).eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            noise = stream(0, "golden", name).normal(0, 0.1, tuple(values.shape))
            values += torch.from_numpy(noise).to(values.dtype)
    loss = validation_loss(model, data, draws=2)
    found = score(images, real, np.arange(512) % 10)
    found |= {"val_loss": loss.total, **{f"bin {i}": b for i, b in enumerate(loss.bins)}}
    for sampler in ("heun", "heun_sde"):
        evaluation = Evaluation(n_gen=130, sampler=sampler, sampler_steps=3, guidance=1.5)
        pictures = generate(model, data, evaluation, 0, "cpu").pictures.astype(float)
        found |= {f"{sampler} mean": float(pictures.mean())}
        found |= {f"{sampler} spread": float(pictures.std())}
    return found


def test_the_measurement_is_that_of_these_rules():
    found, wanted = measured(), GOLDEN.get(RULES, {})
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4), (
        "the same images or weights measure something else than before; if the measurement "
        f"changed on purpose, raise RULES in darbench/rules.py and record here: {found}"
    )
    assert all(map(math.isfinite, found.values()))
