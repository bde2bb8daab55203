import hashlib
import shutil

import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.metrics.extractors import small_cnn, train_small_cnn
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES


@pytest.mark.parametrize(
    ("cnn", "least"),
    [(DIGITS, 0.98), (SHAPES, 0.98), (PHOTOS, 0.85)],  # much of any photograph is a plain ground
    ids=["digits-cnn", "shapes-cnn", "photos-cnn"],
)
def test_shipped_weights_reach_exactly_the_recorded_accuracy(cnn, least):
    record, data = cnn.read_record(), load(cnn.data)
    reached = small_cnn.accuracy(cnn.load_net(), *train_small_cnn.held_out(data))
    assert reached == record["held_out_accuracy"] >= least
    assert record["held_out_images"] == data.n_val
    assert record["data_fingerprint"] == data.fingerprint


@pytest.mark.parametrize("cnn", [DIGITS, SHAPES, PHOTOS], ids=lambda cnn: cnn.name)
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


@pytest.mark.parametrize("side", [8, 16, 28, 32])
def test_pictures_of_other_sides_are_resized_by_the_mean_of_the_pixels_under_each(side):
    pictures = np.random.default_rng(0).integers(256, size=(70, side, side, 3), dtype=np.uint8)
    first, last = (np.arange(16) * side) // 16, -(-(np.arange(16) + 1) * side // 16)
    at = np.arange(side)
    under = (first[:, None] <= at) & (at < last[:, None])
    means = torch.tensor(under / under.sum(axis=1, keepdims=True))
    x = torch.tensor(pictures).permute(0, 3, 1, 2).double()
    resized = torch.einsum("ih,jw,nchw->ncij", means, means, x)
    net = SHAPES.load_net().double()
    found = extract(extractor("shapes-cnn"), pictures)["64"].double()
    wanted = net.penultimate(net.conv(resized / 127.5 - 1))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("cnn", "data", "least"),
    [
        (SHAPES, "shapes-8", 0.7),
        (SHAPES, "shapes-32", 0.98),
        (PHOTOS, "photos-8", 0.85),
        (PHOTOS, "photos-32", 0.85),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_network_was_trained_on_is_known_at_other_sides(cnn, data, least):
    assert small_cnn.accuracy(cnn.load_net(), *train_small_cnn.held_out(load(data))) > least


def test_changed_weights_are_refused(tmp_path):
    shutil.copytree(small_cnn.WEIGHTS, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "digits-cnn.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="sha256"):
        DIGITS.load_net(tmp_path)
