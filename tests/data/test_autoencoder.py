"""Every field of an autoencoder's configuration is used, known not to matter, or refused."""

import inspect
import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from darbench.data import autoencoder, load
from darbench.data.base import to_model_range
from darbench.data.encode import encode
from darbench.errors import BadInput
from tests.make.data import SHARD, SIZE

SCALE, SHIFT = 0.3611, 0.1159


@pytest.fixture
def copy(vae, tmp_path):
    """A copy of the autoencoder, which a test may change."""
    return shutil.copytree(vae, tmp_path / "vae")


def configured(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_every_field_that_diffusers_knows_is_known_here():
    fields = set(inspect.signature(AutoencoderKL.__init__).parameters) - {"self"}
    known = autoencoder.ARCHITECTURE | autoencoder.FACTORS | autoencoder.WITHOUT_EFFECT
    assert fields - known == {"latents_mean", "latents_std"}


@pytest.mark.usefixtures("quick_workers")
def test_the_shift_is_subtracted_from_latents_and_added_to_decode(copy, images, tmp_path):
    configured(copy, scaling_factor=SCALE, shift_factor=SHIFT)
    encode(images, copy, tmp_path / "out", size=SIZE, shard=SHARD)
    data = load("latents", str(tmp_path / "out"))
    made = AutoencoderKL.from_pretrained(copy).eval()
    with torch.no_grad():
        pixels = torch.from_numpy(to_model_range(data.reference_images))
        posterior = made.encode(pixels).latent_dist
        x, _ = data.items(np.arange(27))
        torch.testing.assert_close(x, (posterior.mean - SHIFT) * SCALE, rtol=1e-5, atol=1e-6)
        decoded = made.decode(posterior.mean[:5]).sample.permute(0, 2, 3, 1).double().numpy()
    exact = np.clip(decoded * 127.5 + 127.5, 0, 255)
    assert np.abs(data.decode(x[:5]) - exact).max() < 0.52
    drawn, _ = data.train(3, range(8))
    order = data.order(3, range(8))
    noise = (drawn / SCALE + SHIFT - posterior.mean[order]) / posterior.std[order]
    again, _ = data.train(4, range(8))
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1
    assert not torch.equal(again, drawn)


@pytest.mark.usefixtures("quick_workers")
def test_a_folder_encoded_without_the_shift_is_refused(copy, images, tmp_path):
    configured(copy, shift_factor=SHIFT)
    out = tmp_path / "out"
    encode(images, copy, out, size=SIZE, shard=SHARD)
    path = out / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shift": 0.0}))
    with pytest.raises(BadInput, match=r"which ignored the autoencoder's shift_factor 0.1159"):
        load("latents", str(out)).vae  # noqa: B018


REFUSED = {
    "latents_mean is .0.1, 0.2.*which darbench does not apply": {"latents_mean": [0.1, 0.2]},
    "latents_std is": {"latents_std": [1.0, 1.0]},
    "patch_size is 2, which darbench": {"patch_size": 2},
    "_class_name is AutoencoderTiny; it must be Auto": {"_class_name": "AutoencoderTiny"},
    "in_channels is 4; it must be 3": {"in_channels": 4},
    "scaling_factor is 0; no latents": {"scaling_factor": 0},
    "scaling_factor is None; no latents": {"scaling_factor": None},
    "shift_factor is nan; no latents": {"shift_factor": float("nan")},
    "shift_factor is x; no latents": {"shift_factor": "x"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_field_that_is_not_known_is_refused_by_name(copy, message):
    with pytest.raises(BadInput, match=f"vae/config.json: {message}"):
        autoencoder.load(configured(copy, **REFUSED[message]))


def test_fields_without_effect_have_none(vae, copy):
    configured(copy, force_upcast=False, sample_size=512, _name_or_path="elsewhere")
    x = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    one, two = (autoencoder.load(folder).encode(x).latent_dist.mean for folder in (vae, copy))
    assert torch.equal(one, two)


WEIGHTS = {
    "1 missing keys such as decoder.conv_in.bias": lambda t: t.pop("decoder.conv_in.bias"),
    "1 unexpected keys such as more": lambda t: t.update(more=torch.zeros(1)),
    "cannot be read as an AutoencoderKL": lambda t: t.update(
        {"decoder.conv_in.bias": torch.zeros(3)}
    ),
    "weight decoder.conv_in.bias is not finite": lambda t: t["decoder.conv_in.bias"].fill_(
        float("nan")
    ),
}


@pytest.mark.parametrize("message", WEIGHTS)
def test_weights_that_are_not_those_of_the_configuration_are_refused(copy, capfd, message):
    path = next(copy.glob("*.safetensors"))
    tensors = load_file(path)
    WEIGHTS[message](tensors)
    save_file(tensors, path)
    with pytest.raises(BadInput, match=message):
        autoencoder.load(copy)
    assert capfd.readouterr().err == ""


def test_weights_under_the_names_of_earlier_diffusers_are_the_same(vae, copy):
    """Stable Diffusion's autoencoders on the hub are of that time."""
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    path = next(copy.glob("*.safetensors"))
    tensors = load_file(path)
    for new, old in names.items():
        tensors = {key.replace(f".{new}.", f".{old}."): value for key, value in tensors.items()}
    assert "encoder.mid_block.attentions.0.proj_attn.weight" in tensors
    save_file(tensors, path)
    now, before = (dict(autoencoder.load(folder).named_parameters()) for folder in (vae, copy))
    assert all(torch.equal(now[key], before[key]) for key in now)


def test_weights_in_half_precision_compute_in_float32(vae, copy):
    path = next(copy.glob("*.safetensors"))
    save_file({k: v.half() for k, v in load_file(path).items()}, path)
    made = autoencoder.load(copy)
    assert {p.dtype for p in made.parameters()} == {torch.float32}
