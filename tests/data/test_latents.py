import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from darbench.data import load
from darbench.data.base import to_model_range
from darbench.data.encode import KEPT, encode
from darbench.data.image_folder import find
from darbench.errors import BadInput
from darbench.listener import silent
from darbench.model.sizes import resolve
from darbench.randomness import stream
from darbench.records.settings import Evaluation, Model
from darbench.trial.batches import Batches
from darbench.trial.build import build_model
from darbench.trial.generate import generate
from tests.make.data import write_images

SIZE, SHARD = 16, 8


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    """A tiny random AutoencoderKL that halves images once."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vae")
    made = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    )
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "images"
    write_images(folder, classes=3, each=10, size=(20, 17))
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, vae, images):
    out = tmp_path_factory.mktemp("out")
    encode(images, vae, out, size=SIZE, shard=SHARD, workers=2)
    return out


@pytest.fixture(scope="module")
def data(prepared):
    return load("latents", str(prepared))


@pytest.fixture
def copied(prepared, tmp_path):
    """A folder of links, so that a test may break it."""
    (tmp_path / "vae").symlink_to(prepared / "vae")
    for path in prepared.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


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


def test_workers_and_interruptions_leave_the_same_latents(data, vae, images, tmp_path):
    alone = tmp_path / "alone"
    encode(images, vae, alone, size=SIZE, shard=SHARD)
    whole = load("latents", str(alone))
    assert whole.fingerprint == data.fingerprint
    (alone / "shard-00001.safetensors").unlink()
    kept = (alone / "shard-00002.safetensors").stat().st_mtime_ns
    news = []
    encode(images, vae, alone, size=SIZE, shard=SHARD, listener=lambda *event: news.append(event))
    assert [event[:2] for event in news] == [(3, 4), (4, 4)]
    assert news[1][2] == "wrote shard-00001.safetensors"
    assert (alone / "shard-00002.safetensors").stat().st_mtime_ns == kept
    assert json.loads((alone / "manifest.json").read_text()) == json.loads(
        (data.path / "manifest.json").read_text()
    )


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


def test_a_manifest_that_cannot_be_written_is_one_error(vae, images, copied):
    (copied / "shard-00001.safetensors").unlink()
    (copied / f".manifest.json.{os.getpid()}").mkdir()
    with pytest.raises(BadInput, match=f"^cannot write to {copied}: Is a directory; {KEPT}$"):
        encode(images, vae, copied, size=SIZE, shard=SHARD)


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


def test_a_worker_that_is_killed_is_one_error_and_the_same_command_goes_on(vae, images, tmp_path):
    def kill(done, total, event):
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(BadInput, match=f"^cannot finish {tmp_path}: a worker .*; {KEPT}$"):
        encode(images, vae, tmp_path, size=SIZE, shard=1, listener=kill)
    first = []
    encode(images, vae, tmp_path, size=SIZE, shard=1, listener=lambda *event: first.append(event))
    assert 1 <= first[0][0] < 30 and first[-1][0] == 30


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


BROKEN = {
    "no manifest.json": lambda d: (d / "manifest.json").unlink(),
    "no manifest of latents": lambda d: (d / "manifest.json").write_text("{"),
    "its keys are others": lambda d: (d / "manifest.json").write_text("{}"),
    "shard-00003.safetensors: missing or truncated, one of 1 of 4": lambda d: (
        d / "shard-00003.safetensors"
    ).unlink(),
    "shard-00002.safetensors: missing or truncated, one of 1 of 4": lambda d: os.truncate(
        d / "shard-00002.safetensors", 100
    ),
    "shard-00000.safetensors: cannot be read": lambda d: (
        d / "shard-00000.safetensors"
    ).write_bytes(b"x" * (d / "shard-00000.safetensors").stat().st_size),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_files_are_named(copied, message):
    BROKEN[message](copied)
    with pytest.raises(BadInput, match=message):
        load("latents", str(copied))


def flip(path):
    """Flip the last bit of a file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_shards_whose_bytes_changed_are_found_and_made_again(vae, images, copied):
    news = []
    load("latents", str(copied)).verify(lambda *event: news.append(event))
    assert news == [(0, 4, f"reading the shards of {copied}"), *((i, 4, "") for i in range(1, 5))]
    one, two = (copied / f"shard-0000{number}.safetensors" for number in (1, 3))
    flip(one)
    flip(two)
    load.cache_clear()
    with pytest.raises(BadInput) as refused:
        load("latents", str(copied)).verify(silent)
    assert str(refused.value) == (
        f"{copied}: 2 of 4 shards are not as they were written: {one.name}, {two.name}; delete "
        "them and run `darbench prepare imagenet` again with the same --out"
    )
    one.unlink()
    two.unlink()
    encode(images, vae, copied, size=SIZE, shard=SHARD)
    load.cache_clear()
    load("latents", str(copied)).verify(silent)


def test_shards_that_changed_places_are_found(copied):
    one, two = (copied / f"shard-0000{number}.safetensors" for number in (1, 2))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    with pytest.raises(BadInput, match=f"2 of 4 shards .*: {one.name}, {two.name};"):
        load("latents", str(copied)).verify(silent)


def test_shards_are_plain_safetensors(prepared):
    tensors = load_file(prepared / "shard-00003.safetensors")
    assert {k: tuple(v.shape) for k, v in tensors.items()} == {
        "mean": (6, 4, 8, 8),
        "std": (6, 4, 8, 8),
        "label": (6,),
        "picture": (6, 16, 16, 3),
    }


def command(vae, images, out, *more):
    options = ("--vae", vae, "--data", images, "--out", out, "--size", "16", *more)
    return [sys.executable, "-m", "darbench", "prepare", "imagenet", *map(str, options)]


def test_the_command_prepares_and_counts(vae, images, prepared, tmp_path):
    line = command(vae, images, tmp_path / "out", "--workers", "1", "--device", "cpu")
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"[0/1] 30 images of {images}\n[1/1] wrote shard-00000")
    assert "30 images, fingerprint" in done.stdout and "next: " in done.stdout
    again = subprocess.run([*line, "--json"], capture_output=True, text=True, timeout=120)
    assert json.loads(again.stdout)["images"] == 30
    assert load("latents", str(tmp_path / "out")).n_train == 27


def running(group: int) -> list[Path]:
    """The processes of a group, without dead ones that are not yet collected."""
    running = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, its = path.read_text().rpartition(")")[2].split()[:3]
            running += [path] if int(its) == group and state != "Z" else []
    return running


def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(vae, tmp_path):
    write_images(tmp_path / "images", classes=2, each=2000)
    line = command(vae, tmp_path / "images", tmp_path / "out", "--workers", "2")
    run = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert run.stdout.readline().startswith("[0/4]")
    time.sleep(3)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130 and "Traceback" not in err
    assert err.endswith(
        "finished shards are kept; the same command goes on from there\ndarbench: interrupted\n"
    )
    until = time.monotonic() + 10
    while running(run.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(run.pid)


@pytest.mark.parametrize(
    "change",
    [
        {"shard": 0},
        {"n": "4"},
        {"n_val": 99},
        {"n_val": 30, "n_pictures": 30},
        {"shape": None},
        {"shape": [4, 8]},
        {"scale": "x"},
        {"scale": float("inf")},
        {"class_names": None},
        {"class_names": ["a", "a", "b"]},
        {"shards": {"shard-00000.safetensors": {}}},
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_is_one_line(copied, change):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadInput, match="no manifest of latents"):
        load("latents", str(copied))


def test_shards_must_hold_what_the_manifest_says(copied):
    path = copied / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shape": [4, 8, 9]}))
    with pytest.raises(BadInput, match=r"shard-00000.safetensors: cannot be read \(its mean is"):
        load("latents", str(copied))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("mean", lambda x: x.double()),
        ("std", lambda x: x[:-1]),
        ("label", lambda x: x.int()),
        ("label", lambda x: x + 1),
        ("label", lambda x: x - 1),
        ("picture", lambda x: x[:3]),
    ],
)
def test_a_shard_of_another_content_is_refused(copied, key, change):
    path = copied / "shard-00000.safetensors"
    tensors = load_file(path)
    save_file(tensors | {key: change(tensors[key]).contiguous()}, path)
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["shards"][path.name]["bytes"] = path.stat().st_size
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match=f"shard-00000.safetensors: cannot be read .its {key}s? "):
        load("latents", str(copied))


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
