import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from darbench.data import load
from darbench.data.base import to_model_range
from darbench.errors import BadInput
from darbench.flow.repa import RepaObjective
from darbench.flow.transport import DEFAULT
from darbench.metrics.extractors.small_cnn import DIGITS, SHAPES
from darbench.trial.encoders import load_encoder
from tests.make.models import sit

IMAGES = load("digits").val_images[:5]


@pytest.mark.parametrize("cnn", [DIGITS, SHAPES], ids=lambda cnn: cnn.name)
def test_a_shipped_encoder_sees_what_the_extractor_sees(cnn):
    """uint8 in three channels there, the model's range here."""
    seen, images = [], load(cnn.data).val_images[:5]
    net = cnn.load_net()
    net.conv[-1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    net(torch.from_numpy(images).permute(0, 3, 1, 2).expand(-1, 3, -1, -1))
    found = load_encoder(cnn.name)(torch.from_numpy(to_model_range(images)))
    assert found.shape == (5, 64, cnn.side // 4, cnn.side // 4)
    torch.testing.assert_close(found, seen[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("digits-cnn", (3, 16, 16), r"of 1 x 8 x 8, not of 3 x 16 x 16; .* give shapes-cnn or ph"),
        ("digits-cnn", (1, 16, 16), "not of 1 x 16 x 16; for those give timm:NAME with training"),
        ("shapes-cnn", (1, 8, 8), "of 3 x 16 x 16, not of 1 x 8 x 8; .* give digits-cnn or timm"),
        ("shapes-cnn", (3, 32, 32), "not of 3 x 32 x 32; for those give timm:NAME"),
    ],
)
def test_pictures_that_a_shipped_encoder_does_not_know_are_refused(name, shape, said):
    with pytest.raises(BadInput, match=said):
        load_encoder(name)(torch.zeros(2, *shape))


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        (None, "", "is empty; give digits-cnn or shapes-cnn or photos-cnn or timm"),
        ("digit-cnn", "", "unknown encoder 'digit-cnn'; did you mean digits-cnn"),
        ("digits-cnn", "a.safetensors", "weights=a.safetensors: digits-cnn has its own, leave it"),
    ],
)
def test_an_encoder_that_does_not_exist_is_refused(name, weights, said):
    with pytest.raises(BadInput, match=said):
        load_encoder(name, weights)


def test_latents_are_no_images():
    with pytest.raises(ValueError, match="images of 1 or 3 channels, not 4"):
        RepaObjective(DEFAULT, sit(channels=4), load_encoder("digits-cnn"), layer=1)


def test_without_timm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BadInput, match=r"pip install 'darbench\[repa\]'"):
        load_encoder("timm:resnet18")


@pytest.fixture
def timm():
    return pytest.importorskip("timm")


@pytest.fixture(params=["vit_tiny_patch16_224", "resnet18"])
def saved(timm, request, tmp_path):
    """A network with its classifier, and the file of its weights."""
    torch.manual_seed(0)
    net, path = timm.create_model(request.param).eval(), tmp_path / "weights.safetensors"
    save_file(net.state_dict(), path)
    return request.param, net, str(path)


def test_a_timm_encoder_answers_its_last_feature_map(saved):
    name, net, weights = saved
    x = torch.from_numpy(to_model_range(IMAGES))
    image = nn.functional.interpolate((x + 1) / 2, (224, 224), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(net.pretrained_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    image = (image.expand(-1, 3, -1, -1) - mean) / std
    encoder = load_encoder(f"timm:{name}", weights).eval()
    with torch.no_grad():
        wanted, found = net.forward_features(image), encoder(x)
    if name.startswith("vit"):
        wanted = wanted[:, net.num_prefix_tokens :].mT.unflatten(-1, found.shape[2:])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.prod(found.shape[2:]) > 1


def test_a_timm_encoders_flops_are_counted_without_computing(saved):
    name, _, weights = saved
    objective = RepaObjective(DEFAULT, sit(), load_encoder(f"timm:{name}", weights), layer=2)
    flops = objective.step_flops(2, (3, 8, 8))
    published = {"vit_tiny_patch16_224": 1.25e9, "resnet18": 1.82e9}[name]  # multiply-adds
    assert flops == pytest.approx(2 * 2 * published, rel=0.05)


def test_a_timm_encoder_sees_pictures_of_the_size_that_is_given(timm, saved):
    """Other than at its own size: the same network as timm builds for that one."""
    name, net, weights = saved
    x = torch.from_numpy(to_model_range(IMAGES))
    encoder = load_encoder(f"timm:{name}", weights, 96).eval()
    image = nn.functional.interpolate((x + 1) / 2, (96, 96), mode="bicubic", antialias=True)
    image = (image.expand(-1, 3, -1, -1) - encoder.mean) / encoder.std
    if name.startswith("vit"):
        given = net.state_dict()
        net = timm.create_model(name, img_size=96).eval()
        filtered = timm.models.vision_transformer.checkpoint_filter_fn(given, net)
        net.load_state_dict(filtered)
    with torch.no_grad():
        wanted, found = net.forward_features(image), encoder(x)
    if name.startswith("vit"):
        wanted = wanted[:, net.num_prefix_tokens :].mT.unflatten(-1, (6, 6))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_size_that_an_encoder_cannot_see_is_refused(timm, tmp_path):
    weights = str(tmp_path / "weights.safetensors")
    for name, said in [
        ("vit_tiny_patch16_224", "size=100: must be a multiple of 16, its patch"),
        ("levit_128s", "size=100: timm:levit_128s: "),
    ]:
        save_file(timm.create_model(name, num_classes=0).state_dict(), weights)
        with pytest.raises(BadInput, match=said):
            load_encoder(f"timm:{name}", weights, 100)
    with pytest.raises(BadInput, match="size=224: digits-cnn has its own, leave it out"):
        load_encoder("digits-cnn", size=224)


def test_weights_that_are_not_finite_are_refused(saved, tmp_path):
    name, net, _ = saved
    state = {key: value.clone() for key, value in net.state_dict().items()}
    key = next(key for key, value in state.items() if value.ndim > 1)
    state[key].view(-1)[0] = float("inf")
    save_file(state, tmp_path / "inf.safetensors")
    with pytest.raises(BadInput, match=rf"inf.safetensors': {key} is not finite"):
        load_encoder(f"timm:{name}", str(tmp_path / "inf.safetensors"))


def test_weights_that_do_not_fit_are_refused(timm, saved, tmp_path):
    name, _, weights = saved
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(Path(weights).read_bytes()[:1000])
    (tmp_path / "folder.safetensors").mkdir()
    other = "resnet34" if name == "resnet18" else "vit_tiny_patch16_384"
    for encoder, path, said in [
        (f"timm:{name}x", weights, f"unknown timm model '{name}x'; did you mean"),
        (f"timm:{name}", "", "give the path of a .safetensors file"),
        (f"timm:{name}", str(tmp_path / "no.safetensors"), "no.safetensors"),
        (f"timm:{other}", weights, "weights="),
        (f"timm:{name}", str(damaged), "damaged.safetensors': no safetensors file, or a damaged"),
        (f"timm:{name}", str(tmp_path / "folder.safetensors"), "folder.safetensors': "),
    ]:
        with pytest.raises(BadInput, match=said):
            load_encoder(encoder, path)
