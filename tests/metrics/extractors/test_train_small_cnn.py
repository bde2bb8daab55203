import json

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.metrics.extractors import small_cnn, train_small_cnn
from darbench.metrics.extractors.small_cnn import DIGITS


@pytest.fixture(scope="module")
def data():
    return load("digits")


def test_shifts_move_the_image_and_let_black_in():
    images = torch.arange(1, 65, dtype=torch.uint8).reshape(1, 1, 8, 8).repeat(3, 3, 1, 1)
    still, down, left = train_small_cnn.shifted(images, np.array([[0, 0], [1, 0], [0, -1]]))
    assert torch.equal(still, images[0])
    assert torch.equal(down[:, 1:], images[0, :, :-1]) and not down[:, 0].any()
    assert torch.equal(left[:, :, :-1], images[0, :, :, 1:]) and not left[:, :, -1].any()


def run_training(out, *arguments):
    threads = torch.get_num_threads()
    try:
        train_small_cnn.main(["digits-cnn", "--out", str(out), *arguments])
    finally:
        torch.set_num_threads(threads)
    return json.loads((out / "digits-cnn.json").read_text())


def test_training_writes_weights_and_record(tmp_path, data):
    record = run_training(tmp_path, "--epochs", "2")
    net = DIGITS.load_net(tmp_path)
    images = train_small_cnn.to_rgb(data.val_images)
    reached = small_cnn.accuracy(net, images, torch.tensor(data.val_labels))
    assert reached == record["held_out_accuracy"] > 0.5
    assert record.keys() == DIGITS.read_record().keys()
    assert record["features"] == {"64": 64, "logits": 10}
    assert (record["seed"], record["epochs"]) == (0, 2)
    again = run_training(tmp_path / "again", "--epochs", "2")
    other = run_training(tmp_path / "other", "--epochs", "2", "--seed", "1")
    assert again["sha256"] == record["sha256"] != other["sha256"]


@pytest.mark.slow
def test_retraining_repeats_the_recorded_accuracy(tmp_path):
    shipped = DIGITS.read_record()
    arguments = ("--seed", str(shipped["seed"]), "--epochs", str(shipped["epochs"]))
    retrained = run_training(tmp_path, *arguments)
    assert abs(retrained["held_out_accuracy"] - shipped["held_out_accuracy"]) <= 0.01
