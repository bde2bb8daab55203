"""Scikit-learn's handwritten digits: 1797 grey 8 x 8 images of 10 classes, shipped with it.

Source: UCI "Optical Recognition of Handwritten Digits" test set (Alpaydin and Kaynak, 1998).
Split: 1437 for training, 360 for validation, a fixed random permutation.
"""

import numpy as np
from sklearn.datasets import load_digits

from darbench.data.pixels import Pixels
from darbench.randomness import stream

N_TRAIN = 1437


def load() -> Pixels:
    """The digits as bytes 0 to 255, in the fixed split."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    order = stream(0, "digits-split").permutation(len(images))
    train, val = order[:N_TRAIN], order[N_TRAIN:]
    return Pixels(
        name="digits",
        classes=10,
        train_images=images[train],
        train_labels=labels[train],
        val_images=images[val],
        val_labels=labels[val],
    )
