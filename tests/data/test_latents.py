import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from darbench.data import load
from darbench.data.base import to_model_range
from darbench.data.folder import find
from darbench.errors import BadInput
from darbench.model.sizes import resolve
from darbench.randomness import stream
from darbench.records.settings import Evaluation, Model
from darbench.trial.batches import Batches
from darbench.trial.build import build_model
from darbench.trial.generate import generate
from tests.make.data import SIZE, flip


def posteriors(vae, pictures):
    from diffusers import AutoencoderKL

    made = AutoencoderKL.from_pretrained(vae).eval()
    with torch.no_grad():
        posterior = made.encode(torch.from_numpy(to_model_range(pictures))).latent_dist
    return posterior.mean, posterior.std


def test_what_there_is(data, images, prepared):
    assert (data.classes, data.shape, data.n_train, data.n_val) == (3, (4, 8, 8), 27, 3)
    assert data.manifest.class_names == ["a", "b", "c"] and data.manifest.scale == 0.18215
    counts = [shard["count"] for shard in data.manifest.shards.values()]
    assert counts == [8, 8, 8, 6] and len(data.manifest.shards) == 4
    assert not list(prepared.glob(".*"))
    assert data.reference_images.shape == (data.n_references, SIZE, SIZE, 3)
    assert data.picture_bytes == data.reference_images[0].nbytes
    both = np.concatenate([data.val_images, data.reference_images]).reshape(30, -1)
    folder = find(images)
    wanted = folder.pictures(np.arange(30), SIZE).reshape(30, -1)
    assert np.array_equal(np.sort(both, axis=0), np.sort(wanted, axis=0))


def test_items_are_the_scaled_means_of_the_posterior(data, vae):
    x, label = data.items(np.arange(27))
    mean, _ = posteriors(vae, data.reference_images)
    torch.testing.assert_close(x, 0.18215 * mean, rtol=1e-5, atol=1e-6)
    held, _ = data.val(np.arange(3))
    mean, _ = posteriors(vae, data.val_images)
    torch.testing.assert_close(held, 0.18215 * mean, rtol=1e-5, atol=1e-6)
    assert label.dtype == torch.int64 and torch.bincount(label).sum() == 27


def test_a_run_draws_from_the_posterior_anew_at_every_position(data, vae):
    positions = range(20, 60)
    x, label = data.train(5, positions)
    order = data.order(5, positions)
    mean, std = posteriors(vae, data.reference_images[order])
    noise = [stream(5, "posterior", p).standard_normal((4, 8, 8), np.float32) for p in positions]
    expected = 0.18215 * (mean + std * torch.from_numpy(np.stack(noise)))
    torch.testing.assert_close(x, expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(label, data.items(order)[1])
    part, _ = data.train(5, range(30, 33))
    assert torch.equal(part, x[10:13])


def test_labels_stay_with_their_images(data, images):
    folder = find(images)
    wanted = {folder.pictures(np.array([i]), SIZE).tobytes(): folder.labels[i] for i in range(30)}
    _, label = data.items(np.arange(27))
    labels = [wanted[picture.tobytes()] for picture in data.reference_images]
    assert labels == label.tolist()


def test_decoding_is_the_autoencoders_and_does_not_depend_on_the_batch(data, vae):
    from diffusers import AutoencoderKL

    x, _ = data.items(np.arange(11))
    pictures = data.decode(x)
    with torch.no_grad():
        pixels = AutoencoderKL.from_pretrained(vae).eval().decode(x / 0.18215).sample
    exact = (pixels.permute(0, 2, 3, 1).double() * 127.5 + 127.5).clamp(0, 255).numpy()
    assert pictures.shape == (11, 16, 16, 3) and np.abs(pictures - exact).max() < 0.51
    assert np.array_equal(data.decode(x[9:]), pictures[9:])


@pytest.mark.parametrize("size", [1e25, 1e38])
def test_finite_latents_whose_pictures_are_not_finite_are_no_samples(data, monkeypatch, size):
    x, _ = data.items(np.arange(2))
    with pytest.raises(FloatingPointError, match="not finite"):
        data.decode(x * size)
    model = build_model("add", {}, resolve(Model(depth=1, width=8, heads=2)), data, seed=0)
    with torch.no_grad():
        model.final_layer.linear.bias.fill_(size)  # a velocity that leads as far away
    evaluation = Evaluation(n_gen=2, grid=0, sampler="euler", sampler_steps=1)
    assert generate(model, data, evaluation, 0, "cpu") is None


def test_shards_are_plain_safetensors(prepared):
    tensors = load_file(prepared / "shard-00003.safetensors")
    assert {k: tuple(v.shape) for k, v in tensors.items()} == {
        "mean": (6, 4, 8, 8),
        "std": (6, 4, 8, 8),
        "label": (6,),
        "picture": (6, 16, 16, 3),
    }


def test_latents_are_decoded_by_the_autoencoder_that_made_them(copied):
    other = copied / "other"
    shutil.copytree(copied / "vae", other)
    (copied / "vae").unlink()
    other.rename(copied / "vae")
    load("latents", str(copied)).decode(torch.zeros(1, 4, 8, 8))  # the same, elsewhere
    flip(next((copied / "vae").glob("*.safetensors")))
    load.cache_clear()
    with pytest.raises(BadInput, match="not the autoencoder that encoded these latents"):
        load("latents", str(copied)).decode(torch.zeros(1, 4, 8, 8))


def test_a_model_of_latents_generates_pictures(data):
    model = build_model("add", {}, resolve(Model(depth=1, width=8, heads=2)), data, seed=0)
    batch = Batches(data, batch=5, label_dropout=0.1, seed=0)(1)
    assert [tuple(part.shape) for part in batch] == [(5, 4, 8, 8), (5,), (5, 4, 8, 8), (5,)]
    evaluation = Evaluation(n_gen=9, sampler_steps=1, grid=0)
    pictures = generate(model.eval(), data, evaluation, 0, "cpu").pictures
    assert pictures.shape == (9, 16, 16, 3) and pictures.dtype == np.uint8
