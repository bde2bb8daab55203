import hashlib
import pickle

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from darbench.errors import BadInput
from darbench.metrics.extractors import extractor as extractors
from darbench.metrics.extractors import inception
from darbench.metrics.extractors.extractor import extract, extractor
from darbench.records.metric import METRICS
from tests.make.pickles import Malice, saved


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file like the published one, with random weights; building the network needs some."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr(
            "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url",
            lambda *args, **kwargs: None,
        )
        net = FeatureExtractorInceptionV3(inception.NAME, ["2048"])
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def given(weights, monkeypatch):
    """The file as the user gives it, taken for the published one; small batches, for time."""
    monkeypatch.setenv("DARBENCH_INCEPTION", str(weights))
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "SHA256", sha256)
    monkeypatch.setattr(extractors, "BATCH", 2)
    extractor.cache_clear()
    yield weights
    extractor.cache_clear()


def pictures(n, side, channels, seed=0):
    shape = (n, side, side, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_its_features_are_torch_fidelitys_and_its_spatial_layer_has_7_channels_of_17(given):
    images = pictures(3, 32, 3)
    layers = extract(extractor(inception.NAME), images)
    shapes = {layer: tuple(values.shape) for layer, values in layers.items()}
    assert shapes == {"2048": (3, 2048), "logits_unbiased": (3, 1008), "spatial": (3, 7 * 17 * 17)}
    assert inception.Inception.widths == {layer: v.shape[1] for layer, v in layers.items()}
    theirs = FeatureExtractorInceptionV3(
        inception.NAME, ["2048", "logits_unbiased"], feature_extractor_weights_path=str(given)
    )
    seen = []
    theirs.Mixed_6d.branch1x1.register_forward_hook(lambda *call: seen.append(call[2]))
    features, logits = theirs(torch.from_numpy(images).permute(0, 3, 1, 2))
    torch.testing.assert_close(layers["2048"], features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layers["logits_unbiased"], logits, rtol=1e-4, atol=1e-5)
    spatial = seen[0][:, :7].flatten(1)
    torch.testing.assert_close(layers["spatial"], spatial, rtol=1e-4, atol=1e-5)
    assert all(values.dtype == torch.float32 for values in layers.values())


def test_images_of_any_size_grey_or_coloured_are_read(given):
    net = extractor(inception.NAME)
    for side in (8, 40):
        grey = pictures(1, side, 1)
        one, three = extract(net, grey), extract(net, np.repeat(grey, 3, axis=3))
        assert all(torch.equal(one[layer], three[layer]) for layer in one)
    with pytest.raises(ValueError, match=r"reads uint8 images \(B, 3, H, W\)"):
        net(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))


def test_features_are_the_same_bits_for_any_outer_batch(given):
    net, images = extractor(inception.NAME), pictures(5, 16, 3)
    whole = extract(net, images)
    parts = [extract(net, images[i : i + 1]) for i in range(5)]
    for layer, values in whole.items():
        assert torch.equal(values, torch.cat([part[layer] for part in parts]))


def test_it_says_which_file_it_lacks_and_where(monkeypatch, tmp_path):
    monkeypatch.delenv("DARBENCH_INCEPTION", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    extractor.cache_clear()
    with pytest.raises(BadInput) as caught:
        extractor(inception.NAME)
    message = str(caught.value)
    assert str(tmp_path) in message and "weights-inception-2015-12-05-6726825d.pth" in message
    assert "DARBENCH_INCEPTION" in message and "task.extractor" in message
    assert "\n" not in message


def test_it_finds_the_file_where_torch_fidelity_keeps_it(given, monkeypatch, tmp_path):
    monkeypatch.delenv("DARBENCH_INCEPTION")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    kept.parent.mkdir(parents=True)
    kept.symlink_to(given)
    assert inception.weights_path() == kept
    assert inception.read_weights(kept) == given.read_bytes()


def test_other_weights_are_refused_for_their_distances_would_not_be_fid(weights, monkeypatch):
    monkeypatch.setenv("DARBENCH_INCEPTION", str(weights))
    extractor.cache_clear()
    with pytest.raises(BadInput, match="not FID"):
        extractor(inception.NAME)
    assert inception.SHA256.startswith("6726825d")  # as the published file's name says


def test_a_file_that_would_run_code_does_not(monkeypatch, tmp_path):
    """Its code does not run, even if its hash is right."""
    for data in (pickle.dumps(Malice(), protocol=2), saved({"x": Malice()})):
        with pytest.raises(pickle.UnpicklingError):
            inception.InceptionNet(data)
    assert not Malice.ran


@pytest.mark.parametrize(
    ("metric", "fid", "other"),
    [
        ("fd", "FID", "FD(digits-cnn)"),
        ("fd_inf", "FID-infinity", "FD-infinity(digits-cnn)"),
        ("sfd", "sFID", "sFD(digits-cnn)"),
    ],
)
def test_only_distances_in_its_features_are_called_fid(metric, fid, other):
    assert METRICS[metric].title_in(inception.NAME) == fid
    assert METRICS[metric].title_in("digits-cnn") == other
