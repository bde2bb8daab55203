"""How often samples are of the class they were made for, by a classifier that is no extractor.

FD can fall while the label is ignored: it compares sets of pictures. The classifier is fitted to
training images, once for each data set on this machine; its accuracy on held-out images stands
beside, for it is the most that samples of the data's own distribution would reach.
"""

from typing import Any

import numpy as np

from darbench.cache import remembered
from darbench.data import Dataset
from darbench.metrics.scores.missing import is_classified
from darbench.metrics.scores.patch_classifier import PatchClassifier, fit
from darbench.randomness import stream

MOST_IMAGES = 4096  # training images that the classifier is fitted to
_JUDGES: dict[tuple[str, str], tuple[PatchClassifier, float]] = {}  # by name and fingerprint


def class_accuracy(dataset: Dataset, images: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The columns of a row for uint8 images (N, H, W, C) made for labels (N,); empty where
    there are none."""
    if not is_classified(dataset.picture_bytes, dataset.classes):
        return {}
    judge, ceiling = _judge(dataset)
    accuracy = float((judge(images) == labels).mean())
    return {"class_accuracy": accuracy, "val_class_accuracy": ceiling}


def _judge(dataset: Dataset) -> tuple[PatchClassifier, float]:
    """The data set's classifier, and its accuracy on held-out images; read once per process."""
    key = dataset.name, dataset.fingerprint
    if key not in _JUDGES:
        kept = remembered("classifier", key, lambda: _fit(dataset))
        _JUDGES[key] = PatchClassifier.of(kept["fitted"]), kept["accuracy"]
    return _JUDGES[key]


def _fit(dataset: Dataset) -> dict[str, Any]:
    items, labels = dataset.items(_sample(dataset.n_train))
    fitted = fit(dataset.decode(items), labels.numpy(), dataset.classes)
    _, wanted = dataset.val(np.arange(dataset.n_val))
    right = PatchClassifier.of(fitted)(dataset.val_images) == wanted.numpy()
    return {"fitted": fitted, "accuracy": float(right.mean())}


def _sample(n: int) -> np.ndarray:
    """Indices of the training images that the classifier is fitted to: all, if they are few."""
    if n <= MOST_IMAGES:
        return np.arange(n)
    return np.unique(stream(0, "class-accuracy").integers(n, size=MOST_IMAGES))
