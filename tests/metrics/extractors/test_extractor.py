import hashlib
import importlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

from darbench.data import load
from darbench.errors import BadInput
from darbench.metrics.extractors import extractor as extractors
from darbench.metrics.extractors import small_cnn, train_small_cnn
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.metrics.extractors.small_cnn import DIGITS, SHAPES


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def net():
    return extractor("digits-cnn")


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


@pytest.fixture(scope="module", params=[DIGITS, SHAPES], ids=lambda cnn: cnn.name)
def shipped(request):
    """The name of an extractor, and pictures of the kind that it was trained on."""
    return request.param.name, load(request.param.data).reference_images[:201]


@pytest.mark.parametrize("outer", [1, 7, 64])
def test_features_are_the_same_bits_for_any_outer_batch(shipped, outer):
    name, images = shipped
    net = extractor(name)
    whole = extract(net, images)
    parts = [extract(net, images[i : i + outer]) for i in range(0, len(images), outer)]
    for layer, values in whole.items():
        assert torch.equal(values, torch.cat([part[layer] for part in parts]))


def features_of_part(name, images):
    return extract(extractor(name), images)


def test_features_are_the_same_bits_from_two_processes_with_half_each():
    images = {cnn.name: load(cnn.data).reference_images[:201] for cnn in (DIGITS, SHAPES)}
    asked = [(name, half) for name in images for half in np.array_split(images[name], 2)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(features_of_part, *zip(*asked, strict=True)))
    for name, halves in zip(images, (parts[:2], parts[2:]), strict=True):
        for layer, values in extract(extractor(name), images[name]).items():
            assert torch.equal(values, torch.cat([half[layer] for half in halves]))


def test_features_are_the_same_bits_in_any_order_and_with_more_threads(shipped):
    name, images = shipped
    net = extractor(name)
    order = np.random.default_rng(0).permutation(len(images))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = extract(net, images)
        torch.set_num_threads(2)
        moved = extract(net, images[order])
    finally:
        torch.set_num_threads(threads)
    for layer, values in expected.items():
        assert torch.equal(values[order], moved[layer])


def test_the_network_only_ever_sees_one_batch_size(net, data):
    seen = []
    hook = net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    try:
        extract(net, data.train_images[:70])
        extract(net, data.train_images[:1])
    finally:
        hook.remove()
    assert seen == [(extractors.BATCH, 3, 8, 8)] * 3


def test_features_are_those_of_the_network_in_float64(net, data):
    images = data.val_images[:70]
    layers = extract(net, images)
    assert {layer: (v.dtype, tuple(v.shape)) for layer, v in layers.items()} == {
        "64": (torch.float32, (70, 64)),
        "logits": (torch.float32, (70, 10)),
        "spatial": (torch.float32, (70, 64)),
    }
    assert net.widths == {layer: v.shape[1] for layer, v in layers.items()}
    twin = DIGITS.load_net().double()
    middle = twin.conv[:4](torch.tensor(images).double()[..., 0][:, None] / 127.5 - 1)
    features = twin.penultimate(twin.conv[4:](middle))
    spatial = middle[:, :4].reshape(70, 64)
    torch.testing.assert_close(layers["spatial"].double(), spatial, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layers["64"].double(), features, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        layers["logits"].double(), twin.classifier(features), rtol=1e-5, atol=1e-4
    )


def test_grey_and_repeated_grey_are_the_same(net, data):
    grey = data.val_images[:5]
    one, three = extract(net, grey), extract(net, np.repeat(grey, 3, axis=3))
    assert all(torch.equal(one[layer], three[layer]) for layer in one)


@pytest.mark.parametrize(
    "batch",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
        torch.zeros(2, 3, 16, 16, dtype=torch.uint8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
    ],
    ids=["float", "one channel", "too large", "no batch"],
)
def test_other_input_is_refused_not_broadcast(net, batch):
    with pytest.raises(ValueError, match=r"digits-cnn reads uint8 images \(B, 3, 8, 8\)"):
        net(batch)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 8, 8, 1), np.float32), ((2, 8, 8, 2), np.uint8), ((2, 8, 8), np.uint8)],
)
def test_other_images_are_refused(net, shape, dtype):
    with pytest.raises(ValueError, match=r"uint8 \(N, H, W, C\)"):
        extract(net, np.zeros(shape, dtype))


def test_no_images_are_refused(net):
    with pytest.raises(ValueError, match="no images"):
        extract(net, np.zeros((0, 8, 8, 1), np.uint8))


def test_an_unknown_name_is_answered_with_near_names():
    with pytest.raises(BadInput, match="did you mean digits-cnn"):
        extractor("digit-cnn")


def test_registered_once_however_often_the_module_is_loaded():
    registered = FEATURE_EXTRACTORS_REGISTRY["digits-cnn"]
    importlib.reload(extractors)
    assert FEATURE_EXTRACTORS_REGISTRY["digits-cnn"] is registered


def test_torch_fidelity_chooses_layers_and_may_not_change_the_weights():
    made = create_feature_extractor("digits-cnn", ["logits"], cuda=False, verbose=False)
    (logits,) = made(made.get_dummy_input_for_compile())
    assert logits.shape == (1, 10) and made.can_be_compiled()
    with pytest.raises(ValueError, match="feature_extractor_weights_path"):
        create_feature_extractor(
            "digits-cnn", ["64"], cuda=False, verbose=False, feature_extractor_weights_path="x"
        )


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
