import numpy as np
import torch

from darbench.data import load
from darbench.metrics.scores import reference as module
from darbench.metrics.scores.reference import content_order, reference


def test_the_order_of_content_is_that_of_bytes():
    made = np.random.default_rng(0).choice([0, 1, 128, 255], (400, 3, 2, 1)).astype(np.uint8)
    contents = [image.tobytes() for image in made[content_order(made)]]
    assert contents == sorted(image.tobytes() for image in made)


def test_the_reference_does_not_depend_on_the_order_of_its_images(monkeypatch):
    data, rng = load("digits"), np.random.default_rng(0)
    train, labels = data.train_images.copy(), data.train_labels
    train[:20] = train[0]  # equal images of several labels
    one = reference("digits-cnn", train, data.val_images, labels)
    monkeypatch.setattr(module, "_REFERENCES", {})
    order = rng.permutation(len(train))
    two = reference("digits-cnn", train[order], rng.permutation(data.val_images), labels[order])
    assert one is not two and one.ref_hash == two.ref_hash
    assert np.array_equal(one.labels, two.labels)
    of_image = {(image.tobytes(), label) for image, label in zip(train, labels, strict=True)}
    assert {(p.tobytes(), n) for p, n in zip(one.pixels, one.labels, strict=True)} == of_image
    assert torch.equal(one.features, two.features)
    assert one.val_distance == two.val_distance
    for kept in ("statistics", "spatial"):
        for name, values in getattr(one, kept).items():
            assert np.array_equal(values, getattr(two, kept)[name])
