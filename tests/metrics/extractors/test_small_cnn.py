import hashlib
import shutil

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.metrics.extractors import small_cnn, train_small_cnn
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.metrics.extractors.small_cnn import DIGITS, SHAPES


@pytest.mark.parametrize("cnn", [DIGITS, SHAPES], ids=lambda cnn: cnn.name)
def test_shipped_weights_reach_exactly_the_recorded_accuracy(cnn):
    record, data = cnn.read_record(), load(cnn.data)
    reached = small_cnn.accuracy(cnn.load_net(), *train_small_cnn.held_out(data))
    assert reached == record["held_out_accuracy"] >= 0.98
    assert record["held_out_images"] == data.n_val
    assert record["data_fingerprint"] == data.fingerprint


@pytest.mark.parametrize("cnn", [DIGITS, SHAPES], ids=lambda cnn: cnn.name)
def test_shipped_weights_are_small_and_as_recorded(cnn):
    record = cnn.read_record()
    path = small_cnn.WEIGHTS / f"{cnn.name}.safetensors"
    assert path.stat().st_size <= 400_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]
    counted = sum(p.numel() for p in cnn.load_net().parameters())
    assert counted == record["parameters"] < 100_000
    assert f"train_small_cnn {cnn.name} --out" in record["command"]


def test_colour_and_size_are_the_networks_own():
    made = extractor("shapes-cnn")
    pictures = load("shapes").val_images[:70]
    layers = extract(made, pictures)
    assert [tuple(v.shape) for v in layers.values()] == [(70, 64), (70, 10), (70, 256)]
    assert made.widths == {layer: v.shape[1] for layer, v in layers.items()}
    turned = extract(made, np.ascontiguousarray(pictures[..., ::-1]))
    assert not torch.allclose(layers["64"], turned["64"])
    with pytest.raises(ValueError, match=r"shapes-cnn reads uint8 images \(B, 3, 16, 16\)"):
        made(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_changed_weights_are_refused(tmp_path):
    shutil.copytree(small_cnn.WEIGHTS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "digits-cnn.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="sha256"):
        DIGITS.load_net(tmp_path)
