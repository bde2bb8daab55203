"""What is wrong with a folder of latents is said in one line."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from darbench.data import load
from darbench.data.encode import encode
from darbench.errors import BadInput
from darbench.listener import silent
from darbench.records.canonical import content_hash
from tests.make.data import SHARD, SIZE, flip

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


@pytest.mark.usefixtures("quick_workers")
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


def rewritten(folder, **changes):
    """Change fields of the manifest; None takes one away."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in manifest.items() if v is not None}))
    load.cache_clear()
    return folder


def test_an_earlier_manifest_keeps_its_fingerprint_and_its_latents(data, images, vae, copied):
    """Manifests began without shift and reading, and without stamps and treatments of shards."""
    stored = json.loads((copied / "manifest.json").read_text())
    first = {k: v for k, v in stored.items() if k not in ("shift", "reading")}
    for shard in first["shards"].values():
        del shard["stamp"], shard["treated"]
    rewritten(copied, shift=None, reading=None, shards=first["shards"])
    earlier = load("latents", str(copied))
    assert earlier.fingerprint == content_hash(first) != data.fingerprint
    assert torch.equal(earlier.items(np.arange(27))[0], data.items(np.arange(27))[0])
    with pytest.raises(BadInput, match="holds latents of images read by earlier rules; give ano"):
        encode(images, vae, copied, size=SIZE, shard=SHARD)


def test_the_fingerprint_is_not_moved_by_times_but_by_shift_and_reading(data, copied):
    shards = json.loads((copied / "manifest.json").read_text())["shards"]
    for shard in shards.values():
        shard["stamp"] = "another"
    changes = ({"shards": shards}, {"shift": 0.5}, {"shift": 0.0, "reading": 3})
    prints = [load("latents", str(rewritten(copied, **each))).fingerprint for each in changes]
    assert prints[0] == data.fingerprint and len(set(prints)) == 3


@pytest.mark.parametrize("key", ["mean", "std"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_not_finite_are_found_by_verifying_and_by_reading(copied, key, value):
    path = copied / "shard-00002.safetensors"
    tensors = load_file(path)
    tensors[key][3, 0, 0, 0] = value
    save_file(tensors, path)
    shards = json.loads((copied / "manifest.json").read_text())["shards"]
    content = path.read_bytes()
    shards[path.name] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    data = load("latents", str(rewritten(copied, shards=shards)))
    message = f"^{path}: latent 3 is not finite"
    with pytest.raises(BadInput, match=message):
        data.verify(silent)
    with pytest.raises(BadInput, match=message):
        data.train(0, range(27))
    with pytest.raises(BadInput, match=message):
        data.items(np.arange(27))
