"""Which files of a folder count, under which label, and what is said of the others."""

import os
import shutil

import numpy as np
import pytest

from darbench.data.folder import find, in_words
from darbench.errors import BadInput
from tests.make.data import write_images


@pytest.fixture
def folder(tmp_path):
    write_images(tmp_path / "images")
    return tmp_path / "images"


def image(folder):
    return folder / "a" / "1.png"


def test_every_image_below_a_class_belongs_to_it(folder):
    (folder / "a" / "more" / "deep").mkdir(parents=True)
    shutil.copy(image(folder), folder / "a" / "more" / "deep" / "n.PNG")
    shutil.copy(image(folder), folder / "b" / "w.webp")
    found = find(folder)
    assert np.bincount(found.labels).tolist() == [11, 11, 10]
    labels = dict(zip(found.files, found.labels.tolist(), strict=True))
    assert labels["a/more/deep/n.PNG"] == 0 and labels["b/w.webp"] == 1
    assert found.remarks == ("1 in folders within a class such as a/more/deep/n.PNG",)


def test_what_is_passed_over_is_counted_and_named(folder):
    for name in ("r0.png", "r1.png", "a/list.txt", "b/x.tif", "b/more/y.gif", "a/._1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    for name in ("__MACOSX/a/._1.png", "Thumbs.db", ".DS_Store"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = find(folder)
    assert found.class_names == ("a", "b", "c") and len(found.files) == 30
    assert found.remarks == (
        "passed over 2 beside the class folders such as r0.png, 3 of other kinds such as "
        "a/list.txt, 4 of the system or an archiver such as .DS_Store",
    )


def test_a_plain_folder_has_nothing_to_be_said(folder):
    found = find(folder)
    assert found.remarks == () and found.survey(range(30)).treated == {}
    assert len(set(found.survey(range(30)).digests)) == 30


def test_classes_are_in_the_order_of_names_character_by_character(folder):
    for new, old in zip(("10", "2", "B"), "abc", strict=True):
        (folder / old).rename(folder / new)
    assert find(folder).class_names == ("10", "2", "B")


def link_nowhere(path):
    path.symlink_to("/nonexistent/moved")


REFUSED = {
    "a/x.png: a link that leads nowhere": lambda f: link_nowhere(f / "a" / "x.png"),
    "images/0: a link that leads nowhere": lambda f: link_nowhere(f / "0"),
    "c2: the same folder as .*/a, by a link": lambda f: (f / "c2").symlink_to("a"),
    "c/all: the same folder as .*images, by a link": lambda f: (f / "c" / "all").symlink_to(".."),
    "z: a class without images; .*; it holds 1 files such as x.tif": lambda f: (
        (f / "z").mkdir(),
        (f / "z" / "x.tif").write_bytes(b""),
    ),
    "holds Test and train, which are parts and no classes; give one of them, such as .*/Test": (
        lambda f: [
            shutil.rmtree(f / "c"),
            (f / "a").rename(f / "train"),
            (f / "b").rename(f / "Test"),
        ]
    ),
    "two class folders of one name, é": lambda f: [
        shutil.copytree(f / "a", f / name) for name in ("é", "e\u0301")
    ],
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_would_move_labels_or_count_twice_is_refused(folder, message):
    REFUSED[message](folder)
    with pytest.raises(BadInput, match=message):
        find(folder)


def test_a_class_may_be_called_train_beside_others(folder):
    (folder / "a").rename(folder / "train")
    assert find(folder).class_names == ("b", "c", "train")


def test_a_stamp_moves_with_size_name_and_time_even_one_that_was_set_back(folder):
    first = np.array([1])

    def stamp():
        return find(folder).stamp(first)

    path = folder / find(folder).files[1]
    before, stat = stamp(), path.stat()
    assert stamp() == before
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns and stamp() != before


def test_counts_are_said_in_words(folder):
    assert in_words({"turned": 1200, "none": 0, "deep": 1}) == ["1 deep", "1,200 turned"]
