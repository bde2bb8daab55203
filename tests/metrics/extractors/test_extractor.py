import importlib
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
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def net():
    return extractor("digits-cnn")


@pytest.fixture(scope="module", params=[DIGITS, SHAPES, PHOTOS], ids=lambda cnn: cnn.name)
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
    images = {cnn.name: load(cnn.data).reference_images[:201] for cnn in (DIGITS, SHAPES, PHOTOS)}
    asked = [(name, half) for name in images for half in np.array_split(images[name], 2)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(features_of_part, *zip(*asked, strict=True)))
    for name, *halves in zip(images, parts[::2], parts[1::2], strict=True):
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
    registered, names = FEATURE_EXTRACTORS_REGISTRY["digits-cnn"], dict(vars(extractors))
    importlib.reload(extractors)
    vars(extractors).update(names)  # whoever imported them has the old ones
    assert FEATURE_EXTRACTORS_REGISTRY["digits-cnn"] is registered


def test_torch_fidelity_chooses_layers_and_may_not_change_the_weights():
    made = create_feature_extractor("digits-cnn", ["logits"], cuda=False, verbose=False)
    (logits,) = made(made.get_dummy_input_for_compile())
    assert logits.shape == (1, 10) and made.can_be_compiled()
    with pytest.raises(ValueError, match="feature_extractor_weights_path"):
        create_feature_extractor(
            "digits-cnn", ["64"], cuda=False, verbose=False, feature_extractor_weights_path="x"
        )
