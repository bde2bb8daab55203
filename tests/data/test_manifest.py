"""What is wrong with a folder of latents is said in one line."""

import json
import os

import pytest
from safetensors.torch import load_file, save_file

from darbench.data import load
from darbench.data.encode import encode
from darbench.errors import BadInput
from darbench.listener import silent
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
