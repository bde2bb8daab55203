"""A tiny autoencoder, a few images, and the latents that it makes of them."""

import multiprocessing

import pytest

from darbench.data import encode as encoding
from darbench.data import load
from darbench.data.encode import encode
from tests.make.data import SHARD, SIZE, write_autoencoder, write_images


@pytest.fixture(scope="session")
def vae(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    write_autoencoder(folder)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "images"
    write_images(folder, classes=3, each=10, size=(20, 17))
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, vae, images):
    out = tmp_path_factory.mktemp("out")
    encode(images, vae, out, size=SIZE, shard=SHARD)
    return out


@pytest.fixture(scope="session")
def data(prepared):
    return load("latents", str(prepared))


@pytest.fixture
def copied(prepared, tmp_path):
    """A folder of links, so that a test may break it."""
    (tmp_path / "vae").symlink_to(prepared / "vae")
    for path in prepared.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def quick_workers(monkeypatch):
    """Fork workers from a process that has imported what they need, instead of spawning them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["darbench.data.encode", "diffusers.models"])
    monkeypatch.setattr(encoding, "get_context", lambda method: context)
