import torch
from safetensors.torch import load_file

from darbench.store.weights import newest_weights, save_weights, weights_file


def test_weights_come_back_and_the_newest_are_those_after_the_most_steps(tmp_path):
    for step in (500, 1000, 250):
        weights = {"w": torch.full((2, 3), float(step)).T}
        save_weights(weights, weights_file(tmp_path, "0e6b", step))
    save_weights({"w": torch.zeros(1)}, weights_file(tmp_path, "0e6b0", 2000))
    file = newest_weights(tmp_path, "0e6b")
    assert file == weights_file(tmp_path, "0e6b", 1000)
    assert torch.equal(load_file(file)["w"], torch.full((3, 2), 1000.0))
    assert [path.suffix for path in file.parent.iterdir()] == [".safetensors"] * 4


def test_without_any_there_is_none(tmp_path):
    assert newest_weights(tmp_path, "0e6b") is None
