import pytest

from darbench.data import catalogue, load
from darbench.data.base import split
from darbench.errors import BadInput
from darbench.records.rules import MOST_REFERENCES


def test_an_unknown_dataset_is_refused_with_the_near_name():
    with pytest.raises(BadInput, match="unknown dataset 'digit'; did you mean digits"):
        load("digit")
    assert {"digits", "shapes", "cifar10", "latents"} < set(catalogue.names())


@pytest.mark.parametrize("name", [n for n in catalogue.names() if catalogue.from_files(n)])
def test_data_of_files_need_a_path_and_say_what_works(name, tmp_path):
    with pytest.raises(BadInput, match=f"{name}: no path is given; give task.data_path=FOLDER"):
        load(name)
    with pytest.raises(BadInput, match=r"no folder at .*nowhere; give task\.data_path=FOLDER"):
        load(name, str(tmp_path / "nowhere"))


SHIPPED = [name for name in catalogue.names() if not catalogue.from_files(name)]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_facts_are_those_of_the_data(name):
    known, data = catalogue.kind(name), load(name)
    for fact in ("name", "shape", "classes", "n_train", "n_val", "n_references", "picture_bytes"):
        assert getattr(known, fact) == getattr(data, fact)
    references = data.reference_images
    assert (len(references), references[0].nbytes) == (data.n_references, data.picture_bytes)
    assert len(data.val_images) == data.n_val


def test_of_imagenets_latents_what_is_held_out_is_what_the_split_holds_out():
    known, (train, val) = catalogue.kind("latents"), split(1_281_167)
    assert (known.n_train, known.n_val) == (len(train), len(val))
    assert known.shape == (4, 256 // 8, 256 // 8)
    assert known.n_references == MOST_REFERENCES


def test_a_dataset_is_read_once():
    assert load("digits") is load("digits")
    assert not catalogue.from_files("digits")


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_data_that_ship_are_those_of_the_protocol_or_refused(name, monkeypatch, tmp_path):
    (tmp_path / "f.json").write_text(f'{{"{name}": "0123"}}')
    monkeypatch.setattr("darbench.records.protocol.FINGERPRINTS", tmp_path / "f.json")
    with pytest.raises(BadInput, match=rf"{name} has fingerprint \w+ here, 0123 in the protocol"):
        load.__wrapped__(name)
