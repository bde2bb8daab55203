"""Encoders, trunks and data: known by their content, wherever they lie."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from darbench import data, registry
from darbench.errors import BadInput
from darbench.records.protocol import protocol_hash
from darbench.records.settings import Task
from darbench.search.compose import compose_trial
from darbench.search.load import build_trial, load_space, load_trial
from darbench.search.resolve import departure, find_encoder
from darbench.trial.check import check
from tests.make.data import write_cifar10, write_images
from tests.make.spaces import write

SIGNATURES = registry.signatures()


def unresolved(task, *overrides):
    return build_trial(find_encoder(compose_trial("add", task, overrides)), SIGNATURES)


def shipped(*overrides, **keywords):
    return load_space("dar_forms", overrides, SIGNATURES, **keywords)


@pytest.mark.parametrize(
    "empty", [[], ["training.repa.encoder=null"], ["training.repa.encoder=''"]]
)
@pytest.mark.parametrize(
    ("task", "encoder"),
    [("digits-nano", "digits-cnn"), ("digits-micro", "digits-cnn"), ("shapes-nano", "shapes-cnn")],
)
def test_alignment_is_to_the_extractor_of_the_task_unless_it_is_given(task, encoder, empty):
    def the_trial(*overrides):
        overrides = ["training.objective=repa", *overrides]
        return load_trial("dar", task, overrides, 1, SIGNATURES)

    found = the_trial(*empty)
    assert found.training.repa.encoder == encoder
    assert found == the_trial(f"training.repa.encoder={encoder}")
    check(found)


def test_a_trial_aligned_to_digits_has_the_id_that_it_always_had():
    trial = load_trial("add", "digits-nano", ["training.objective=repa"], 0, SIGNATURES)
    assert trial.configuration()["training"]["repa"] == {
        "layer": 4,
        "coefficient": 0.5,
        "hidden": None,
        "norm": False,
        "encoder": "digits-cnn",
        "weights": "",
    }
    assert trial.id == "36461f4ebe5a56c3"


@pytest.mark.parametrize("task", ["imagenet256-b2", "imagenet256-xl2"])
@pytest.mark.parametrize("more", [[], ["training.repa.encoder=digits-cnn"]])
def test_latents_are_not_aligned(task, more):
    overrides = ["training.objective=repa", *more]
    for composed in (
        lambda: load_trial("add", task, overrides, 0, SIGNATURES),
        lambda: unresolved(task, *overrides),
        lambda: shipped(f"task={task}", *overrides),
    ):
        with pytest.raises(BadInput, match="images of 1 or 3 channels, not 4; latents are none"):
            composed()


def test_what_inception_measures_has_no_encoder_of_its_own():
    with pytest.raises(
        BadInput, match=r"by inception-v3-compat has no default; give timm:NAME wi"
    ):
        unresolved("cifar10-small", "training.objective=repa")


def test_an_encoder_of_other_pictures_is_refused():
    overrides = ["training.objective=repa", "training.repa.encoder=digits-cnn"]
    with pytest.raises(BadInput, match="not of 3 x 16 x 16; for those give shapes-cnn"):
        check(load_trial("add", "shapes-nano", overrides, 0, SIGNATURES))


def test_an_encoder_is_known_by_the_content_of_its_weights(tmp_path):
    def of(folder, content):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(content)
        overrides = [
            "training.objective=repa",
            "training.repa.encoder=timm:resnet18",
            f"training.repa.weights='{tmp_path / folder / 'model.safetensors'}'",
        ]
        return load_trial("dar", "digits-nano", overrides, 1, SIGNATURES).id

    assert of("a", b"one") == of("b", b"one") != of("c", b"two")


def test_an_encoder_is_found_at_home(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    monkeypatch.setenv("HOME", str(tmp_path))
    overrides = ["training.objective=repa", "training.repa.weights=~/model.safetensors"]
    found = load_trial("dar", "digits-nano", overrides, 1, SIGNATURES).training.repa
    assert found.weights == str(tmp_path / "model.safetensors") and found.fingerprint


def test_a_fingerprint_of_an_encoder_that_is_not_its_own_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")

    def load(*more):
        overrides = ["training.objective=repa", *more]
        return load_trial("dar", "digits-nano", overrides, 1, SIGNATURES)

    weights = f"training.repa.weights='{tmp_path / 'model.safetensors'}'"
    found = load(weights)
    own = f"training.repa.fingerprint={found.training.repa.fingerprint}"
    assert load(weights, own).id == found.id
    with pytest.raises(BadInput, match=r"repa\.fingerprint=abc: encoder digits-cnn has [0-9a-f]+"):
        load(weights, "training.repa.fingerprint=abc")
    with pytest.raises(BadInput, match=r"repa\.fingerprint=abc: encoder digits-cnn has none"):
        load("training.repa.fingerprint=abc")


def test_a_trunk_is_known_by_the_content_of_its_file(tmp_path, monkeypatch):
    def of(folder, content):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "add.safetensors").write_bytes(content)
        return started(tmp_path / folder / "add.safetensors").id

    def started(file, *more):
        overrides = [f"training.init_from='{file}'", *more]
        return load_trial("dar", "digits-nano", overrides, 1, SIGNATURES)

    plain = load_trial("dar", "digits-nano", [], 1, SIGNATURES).id
    assert of("a", b"one") == of("b", b"one") != of("c", b"two") != plain
    monkeypatch.setenv("HOME", str(tmp_path))
    found = started("~/a/add.safetensors").training
    assert found.init_from == str(tmp_path / "a" / "add.safetensors")
    assert found.init_hash == sha256(b"one").hexdigest()[:16]
    with pytest.raises(BadInput, match=r"init_hash=abc: .*add\.safetensors has 7692c3ad3540bb80"):
        started("~/a/add.safetensors", "training.init_hash=abc")
    with pytest.raises(BadInput, match=r"init_from=~/d: no such file"):
        started("~/d")
    with pytest.raises(BadInput, match=r"init_hash=abc: give training\.init_from, that file"):
        load_trial("dar", "digits-nano", ["training.init_hash=abc"], 1, SIGNATURES)


CARD = """# @package _global_
task:
  name: mine
  data: image_folder_32
  data_path: ${oc.env:DARBENCH_TEST_IMAGES,''}
  extractor: digits-cnn
  rank_by: val_loss
"""


@pytest.fixture
def of_files(tmp_path, monkeypatch):
    """Compose a space of the task above; its images lie at two places."""
    pixels = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)
    for place in ("here", "there"):
        (tmp_path / place / "a").mkdir(parents=True)
        for i, image in enumerate(pixels):
            Image.fromarray(image).save(tmp_path / place / "a" / f"{i}.png")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text(CARD)
    path = write(tmp_path, "variants: [{routing: add}]")
    monkeypatch.chdir(tmp_path)

    def call(*overrides):
        space = load_space(path, ["task=mine", *overrides], SIGNATURES)
        return next(space.grid()).trial(0, "confirm")

    return call


def test_a_path_is_given_by_override_or_environment_and_is_no_part_of_the_identity(
    of_files, tmp_path, monkeypatch
):
    here = of_files("task.data_path=here")
    assert here.task.data_path == str(tmp_path / "here")
    monkeypatch.setenv("DARBENCH_TEST_IMAGES", str(tmp_path / "there"))
    there = of_files()
    assert there.task.data_path == str(tmp_path / "there")
    assert (here.id, protocol_hash(here)) == (there.id, protocol_hash(there))
    (tmp_path / "there" / "a" / "9.png").rename(tmp_path / "there" / "a" / "90.png")
    data.load.cache_clear()
    other = of_files()
    assert other.id != here.id and protocol_hash(other) != protocol_hash(here)
    assert here.configuration()["task"]["data"] == f"image_folder_32@{here.task.fingerprint}"


@pytest.mark.parametrize("given", ["~/here", "'~/here'", "~/it's here"])
def test_a_path_may_begin_at_home(of_files, tmp_path, monkeypatch, given):
    (tmp_path / "it's here").symlink_to(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = of_files(f"task.data_path={given}")
    assert found == of_files("task.data_path=here")
    monkeypatch.setenv("DARBENCH_TEST_IMAGES", "~/here")
    assert of_files() == found


def test_a_task_may_declare_which_content_it_is_of(of_files):
    found = of_files("task.data_path=here")
    declared = of_files("task.data_path=here", f"task.fingerprint={found.task.fingerprint}")
    assert declared == found
    with pytest.raises(
        BadInput, match=f"here: holds data of fingerprint {found.task.fingerprint}"
    ):
        of_files("task.data_path=here", "task.fingerprint=abc")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "image_folder_32: no path is given; give task.data_path=FOLDER"),
        (["task.data_path=nowhere"], "image_folder_32: no folder at .*nowhere"),
        (["task.data_path=~nobody-here/x"], "image_folder_32: no folder at .*/~nobody-here/x"),
        (["task.data=digits", "task.data_path=here"], "digits are no files; leave it out"),
        (["task.data=image_folder"], "unknown dataset 'image_folder'; did you mean image_folder_"),
    ],
)
def test_a_path_without_data_is_refused(of_files, overrides, message):
    with pytest.raises(BadInput, match=message):
        of_files(*overrides)


def test_what_is_to_be_known_of_the_data_is_said_of_any_task(tmp_path):
    assert departure(Task(name="digits-nano", data="digits")) == ""
    write_images(tmp_path / "images")
    Image.new("LA", (40, 40)).save(tmp_path / "images" / "a" / "1.png")
    mine = Task(name="mine", data="image_folder_32", data_path=str(tmp_path / "images"))
    assert departure(mine) == "mine: 1 transparent, shown on white"
    write_cifar10(tmp_path / "cifar" / "one")
    write_cifar10(tmp_path / "cifar" / "two")
    differs = "not the published data: 40 items to train on, not 50,000; 8 held out, not 10,000"
    cifar = Task(name="cifar10-small", data="cifar10", data_path=str(tmp_path / "cifar"))
    assert departure(cifar) == (
        "cifar10-small: passed over 6 files such as two/data_batch_1.bin; "
        f"{differs}; only results on the same files compare"
    )
