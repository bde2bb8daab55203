"""Images become latents: by one process or several, interrupted or not."""

import json
import multiprocessing
import os
import resource
import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from darbench.data import load
from darbench.data.base import split
from darbench.data.encode import KEPT, encode
from darbench.data.folder import find
from darbench.errors import BadInput
from tests.make.data import SHARD, SIZE, write_images

quick = pytest.mark.usefixtures("quick_workers")


@quick
def test_workers_and_interruptions_leave_the_same_latents(data, vae, images, tmp_path):
    both = tmp_path / "both"
    encode(images, vae, both, size=SIZE, shard=SHARD, workers=2)
    whole = load("latents", str(both))
    assert whole.fingerprint == data.fingerprint
    (both / "shard-00001.safetensors").unlink()
    kept = (both / "shard-00002.safetensors").stat().st_mtime_ns
    news = []
    encode(images, vae, both, size=SIZE, shard=SHARD, listener=lambda *event: news.append(event))
    assert [event[:2] for event in news] == [(3, 4), (4, 4)]
    assert news[1][2] == "wrote shard-00001.safetensors"
    assert (both / "shard-00002.safetensors").stat().st_mtime_ns == kept
    assert json.loads((both / "manifest.json").read_text()) == json.loads(
        (data.path / "manifest.json").read_text()
    )


@quick
def test_an_error_names_its_image_and_keeps_the_finished_shards(vae, tmp_path):
    images, out = tmp_path / "images", tmp_path / "out"
    write_images(images, classes=2, each=8)
    broken = images / "a" / "3.png"
    size = broken.stat().st_size
    whole = broken.read_bytes()
    broken.write_bytes(b"x" * size)
    with pytest.raises(BadInput, match=r"a/3.png: cannot be read as an image"):
        encode(images, vae, out, size=SIZE, shard=2)
    broken.write_bytes(whole)
    first = []
    encode(images, vae, out, size=SIZE, shard=2, listener=lambda *event: first.append(event[0]))
    assert first[-1] == 8 and not multiprocessing.active_children()
    assert load("latents", str(out)).n_train == 15


@contextmanager
def files_of_at_most(size):
    """A limit in bytes: a longer write fails, here and in child processes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_shard_that_cannot_be_written_is_one_error(vae, images, copied):
    (copied / "shard-00001.safetensors").unlink()
    with (
        files_of_at_most(10_000),
        pytest.raises(BadInput, match=f"^cannot write to {copied}: File too large; {KEPT}$"),
    ):
        encode(images, vae, copied, size=SIZE, shard=SHARD)


@quick
def test_a_manifest_that_cannot_be_written_is_one_error(vae, images, copied):
    (copied / "shard-00001.safetensors").unlink()

    def block(done, total, event):
        (copied / "manifest.json").unlink()
        (copied / "manifest.json").mkdir()

    with pytest.raises(BadInput, match=f"^cannot write to {copied}: Is a directory; {KEPT}$"):
        encode(images, vae, copied, size=SIZE, shard=SHARD, listener=block)


def test_an_output_folder_that_cannot_be_begun_is_one_error(vae, images, copied):
    out, hint = copied / "new", "choose another --out"
    with (
        files_of_at_most(10),
        pytest.raises(BadInput, match=f"^cannot write to {out}: File too large; {hint}$"),
    ):
        encode(images, vae, out, size=SIZE)
    file = copied / "manifest.json"
    with pytest.raises(BadInput, match=f"^cannot write to {file}: Not a directory; {hint}$"):
        encode(images, vae, file, size=SIZE)
    file.unlink()
    with pytest.raises(BadInput, match=f"^cannot write to {copied}: .* are the same file; {hint}"):
        encode(images, copied / "vae", copied, size=SIZE)


@quick
def test_a_worker_that_is_killed_is_one_error_and_the_same_command_goes_on(vae, images, tmp_path):
    def kill(done, total, event):
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(BadInput, match=f"^cannot finish {tmp_path}: a worker .*; {KEPT}$"):
        encode(images, vae, tmp_path, size=SIZE, shard=1, listener=kill)
    first = []
    encode(images, vae, tmp_path, size=SIZE, shard=1, listener=lambda *event: first.append(event))
    assert 1 <= first[0][0] < 30 and first[-1][0] == 30


@quick
def test_an_error_of_a_starting_worker_is_its_own(vae, images, copied):
    (copied / "shard-00001.safetensors").unlink()
    (copied / "vae").unlink()
    with pytest.raises(BadInput, match=f"^{copied}/vae: no autoencoder"):
        encode(images, vae, copied, size=SIZE, shard=SHARD)


def test_another_encoding_in_the_folder_is_refused(vae, images, copied, tmp_path_factory):
    def refused(what):
        return pytest.raises(
            BadInput, match=f"^{copied}: holds latents of {what}; give another --out$"
        )

    with refused("--size 16, not 32"):
        encode(images, vae, copied, size=32, shard=SHARD)
    with refused("shard"):
        encode(images, vae, copied, size=SIZE, shard=SHARD + 1)
    scaled, fewer = tmp_path_factory.mktemp("scaled"), tmp_path_factory.mktemp("fewer") / "images"
    shutil.copytree(vae, scaled, dirs_exist_ok=True)
    config = json.loads((scaled / "config.json").read_text())
    (scaled / "config.json").write_text(json.dumps(config | {"scaling_factor": 0.25}))
    with refused("another autoencoder, the scale 0.18215, not 0.25"):
        encode(images, scaled, copied, size=SIZE, shard=SHARD)
    shutil.copytree(images, fewer)
    next((fewer / "a").iterdir()).rename(fewer / "a" / "other.png")
    with refused("images of other names"):
        encode(fewer, vae, copied, size=SIZE, shard=SHARD)
    (fewer / "a" / "other.png").unlink()
    with refused("30 images, not 29"):
        encode(fewer, vae, copied, size=SIZE, shard=SHARD)


@quick
def test_an_image_that_was_replaced_by_one_of_equal_size_is_encoded_again(vae, tmp_path):
    images, out = tmp_path / "images", tmp_path / "out"
    write_images(images, classes=2, each=6, size=(16, 16))
    path = images / "a" / "1.png"
    stat = path.stat()
    repaired = np.random.default_rng(9).integers(0, 256, (16, 16, 3), np.uint8)
    damaged = repaired.copy()
    damaged[8:] = 0

    def put(pixels):
        Image.fromarray(pixels).save(path, compress_level=0)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as an archive restores it
        return path.stat().st_size

    size = put(damaged)
    encode(images, vae, out, size=SIZE, shard=4)
    assert put(repaired) == size
    news = []
    encode(images, vae, out, size=SIZE, shard=4, listener=lambda *event: news.append(event[2]))
    assert "images of 1 finished shards changed" in news[0] and len(news) == 2
    fresh = encode(images, vae, tmp_path / "fresh", size=SIZE, shard=4)
    again = load("latents", str(out))
    assert again.fingerprint == fresh.fingerprint
    pictures = np.concatenate([again.val_images, again.reference_images])
    assert (pictures == repaired).all((1, 2, 3)).sum() == 1


@quick
def test_a_copy_of_the_images_with_other_times_is_not_encoded_again(
    vae, images, copied, tmp_path_factory
):
    moved = tmp_path_factory.mktemp("moved") / "images"
    shutil.copytree(images, moved, copy_function=shutil.copyfile)
    news = []
    encode(moved, vae, copied, size=SIZE, shard=SHARD, listener=lambda *event: news.append(event))
    assert news == [(4, 4, f"30 images of {moved}")]


@quick
@pytest.mark.parametrize(
    ("factor", "cause"),
    [(float("nan"), "its weight encoder.conv_in.bias is not finite"), (1e38, "its values overf")],
)
def test_latents_that_are_not_finite_name_the_picture(vae, images, tmp_path, factor, cause):
    broken, out = tmp_path / "vae", tmp_path / "out"
    shutil.copytree(vae, broken)
    path = next(broken.glob("*.safetensors"))
    tensors = load_file(path)
    bias = tensors["encoder.conv_in.bias"]
    save_file(tensors | {"encoder.conv_in.bias": (bias + bias.sign()) * factor}, path)
    first = find(images).files[int(split(30)[1][0])]
    with pytest.raises(
        BadInput, match=rf"^{images}/{first}: .* not finite \({cause}.*\); give an"
    ):
        encode(images, broken, out, size=SIZE, shard=SHARD)
    assert not list(out.glob("shard*"))


@quick
def test_what_is_done_to_pictures_is_counted_shard_by_shard(vae, images, tmp_path):
    mixed = tmp_path / "images"
    shutil.copytree(images, mixed)
    trained, held = (find(mixed).files[int(part[0])] for part in split(30))
    Image.open(mixed / held).convert("RGBA").save(mixed / held, "PNG")
    shutil.copy(mixed / held, mixed / trained)
    made = encode(mixed, vae, tmp_path / "out", size=SIZE, shard=SHARD)
    counts = {"transparent, shown on white": 2, "to train on and held out too": 1}
    assert made.treated == counts
    assert load("latents", str(tmp_path / "out")).remarks == [
        "1 to train on and held out too",
        "2 transparent, shown on white",
    ]


@quick
def test_a_shard_whose_image_was_replaced_is_made_again(vae, images, copied, tmp_path_factory):
    mended = tmp_path_factory.mktemp("mended") / "images"
    shutil.copytree(images, mended)
    Image.new("RGB", (20, 17)).save(mended / find(mended).files[5])
    news = []
    encode(mended, vae, copied, size=SIZE, shard=SHARD, listener=lambda *event: news.append(event))
    assert news[0] == (
        3,
        4,
        f"30 images of {mended}; images of 1 finished shards changed, they are made again",
    )
    assert len(news) == 2
    fresh = encode(mended, vae, tmp_path_factory.mktemp("fresh"), size=SIZE, shard=SHARD)
    assert load("latents", str(copied)).fingerprint == fresh.fingerprint


def test_an_autoencoder_that_is_none_is_refused(images, tmp_path):
    with pytest.raises(BadInput, match="no autoencoder; give the folder that holds"):
        encode(images, tmp_path, tmp_path / "out", size=SIZE)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match="cannot be read as an AutoencoderKL"):
        encode(images, tmp_path, tmp_path / "out", size=SIZE)


def test_a_size_that_does_not_halve_is_refused(vae, images, tmp_path):
    with pytest.raises(BadInput, match="--size 17: must be a multiple of 2"):
        encode(images, vae, tmp_path, size=17)


def test_diffusers_is_asked_for_where_it_is_missing(vae, images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(BadInput, match=r"pip install 'darbench\[imagenet\]'"):
        encode(images, vae, tmp_path, size=SIZE)
