import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from darbench.data import image_folder, kind, load
from darbench.data.base import to_model_range
from darbench.data.folder import find
from darbench.errors import BadInput
from darbench.listener import silent
from tests.make.data import write_images


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def data(folder):
    return load("image_folder_32", str(folder))


def test_what_there_is(data):
    assert (data.classes, data.shape, data.n_train, data.n_val) == (3, (3, 32, 32), 27, 3)
    assert data.reference_images.shape == (data.n_references, 32, 32, 3) == (27, 32, 32, 3)
    assert data.picture_bytes == kind(data.name).picture_bytes == data.val_images[0].nbytes
    assert data.val_images.dtype == np.uint8
    x, label = data.items(np.arange(27))
    assert np.array_equal(data.decode(x), data.reference_images)
    held, held_label = data.val(np.arange(3))
    assert np.array_equal(data.decode(held), data.val_images)
    counts = torch.bincount(torch.cat([label, held_label]))
    assert counts.tolist() == [10, 10, 10]
    both = np.concatenate([data.reference_images, data.val_images]).reshape(30, -1)
    assert len(np.unique(both, axis=0)) == 30


def test_mirroring_is_a_function_of_seed_and_position_alone(data):
    x, label = data.train(0, range(200))
    plain, same = data.items(data.order(0, range(200)))
    assert torch.equal(label, same)
    kept = (x == plain).flatten(1).all(1)
    turned = (x == plain.flip(-1)).flatten(1).all(1)
    assert torch.equal(kept, ~turned) and 70 < turned.sum() < 130
    torch.manual_seed(1)
    np.random.seed(1)
    part, _ = data.train(0, range(50, 60))
    assert torch.equal(part, x[50:60])
    other, _ = data.train(1, range(200))
    assert not torch.equal(other, x)


def test_grey_images_become_colour(folder, data):
    Image.new("L", (50, 50), 77).save(folder / "a" / "0.JPG", "PNG")
    Image.new("P", (32, 32)).save(folder / "a" / "1.png")
    x, _ = load("image_folder_32", str(folder)).items(np.arange(27))
    assert x.shape == (27, 3, 32, 32)
    assert (x == to_model_range(np.full((1, 1, 1, 1), 77, np.uint8))[0, 0, 0, 0]).any()


def test_the_fingerprint_sees_content_names_and_size(tmp_path):
    prints = set()
    for i, change in enumerate(
        [{}, {"seed": 1}, {"each": 11}, {"classes": 2}, {"size": (41, 36)}]
    ):
        write_images(tmp_path / str(i), **change)
        prints.add(load("image_folder_32", str(tmp_path / str(i))).fingerprint)
    prints.add(load("image_folder_64", str(tmp_path / "0")).fingerprint)
    assert len(prints) == 6
    write_images(tmp_path / "again")
    assert load("image_folder_32", str(tmp_path / "again")).fingerprint in prints


def test_a_name_that_is_not_utf8_has_a_fingerprint_too(folder, data):
    before = data.fingerprint
    os.rename(folder / "a" / "1.png", os.fsencode(folder / "a") + b"/\xff.png")
    assert load("image_folder_32", f"{folder}/.").fingerprint != before


BROKEN = {
    "no class": (lambda f: [p.rename(f.parent / p.name) for p in f.iterdir()], "no class folders"),
    "empty class": (lambda f: (f / "z").mkdir(), "z: a class without images"),
    "few": (lambda f: [p.unlink() for p in f.glob("*/[3-9].*")], "9 images; .*give 10 or more"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_folder_without_images_is_refused(folder, fault):
    damage, message = BROKEN[fault]
    damage(folder)
    with pytest.raises(BadInput, match=message):
        load("image_folder_32", str(folder))


@pytest.mark.parametrize("content", [b"", b"no image", None], ids=["empty", "text", "truncated"])
def test_a_broken_image_is_named(folder, content):
    path = folder / "b" / "1.png"
    path.write_bytes(path.read_bytes()[:500] if content is None else content)
    with pytest.raises(BadInput, match=r"b/1.png: cannot be read as an image"):
        data = load("image_folder_32", str(folder))
        data.items(np.arange(data.n_train))
        data.val(np.arange(3))


def test_a_folder_that_is_named_like_an_image_is_none(folder, data):
    (folder / "a" / "z.png").mkdir()
    load.cache_clear()
    assert load("image_folder_32", str(folder)).fingerprint == data.fingerprint


def test_how_files_were_read_is_said(folder, data):
    assert list(data.remarks) == []
    whole = Image.open(folder / "a" / "1.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    whole.save(folder / "a" / "1.png", exif=exif)
    whole.convert("RGBA").save(folder / "b" / "1.png")
    (folder / "readme").write_text("")
    shutil.copytree(folder / "c", folder / "d")
    load.cache_clear()
    data = load("image_folder_32", str(folder))
    files = {split: [data.folder.files[i] for i in data._split[split]] for split in (0, 1)}
    twins = {name.replace("c/", "d/") for name in files[1]} | {
        name.replace("d/", "c/") for name in files[1]
    }
    twice = len(set(files[0]) & twins)
    assert twice and list(data.remarks) == [
        "1 transparent, shown on white",
        "1 turned as their EXIF says",
        "20 in more than one class",
        f"{twice} to train on and held out too",
        "passed over 1 beside the class folders such as readme",
    ]


def test_the_fingerprint_moves_with_the_way_of_reading(folder, data, monkeypatch):
    before = data.fingerprint
    monkeypatch.setattr(image_folder, "READING", 1)
    load.cache_clear()
    assert load("image_folder_32", str(folder)).fingerprint != before


def test_verifying_decodes_every_picture(folder, data):
    seen = []
    data.verify(lambda *event: seen.append(event))
    assert seen[0] == (0, 30, f"decoding the images of {folder}") and seen[-1] == (30, 30, "")
    path = folder / "b" / "1.png"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadInput, match=r"b/1.png: cannot be read as an image \(.*truncated"):
        data.verify(silent)


@pytest.mark.parametrize("side", [32, 256])
def test_a_picture_that_is_a_line_does_not_fill_the_memory(folder, side):
    Image.new("RGB", (60_000, 1), (9, 9, 9)).save(folder / "a" / "1.png")
    number = find(folder).files.index("a/1.png")
    if side == 32:
        assert (find(folder).pictures([number], side) == 9).all()
    else:
        with pytest.raises(BadInput, match="60000 x 1 is too thin for a square of 256"):
            find(folder).pictures([number], side)
