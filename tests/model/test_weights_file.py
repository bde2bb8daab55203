"""Files of weights load into the model that they are of, and nothing else does."""

import argparse
import pickle

import pytest
import torch
from safetensors.torch import save_file

from darbench.errors import BadInput
from darbench.model.official import to_official
from darbench.model.weights_file import check_trunk, load_trunk, load_weights
from darbench.testing.inputs import randomise
from tests.make.models import sit

DAR = ("dar", {})


def random(setting=("add", {}), **changes):
    model = sit(setting, **changes)
    randomise(model)
    return model


def same(a, b):
    b = b.state_dict()
    return all(torch.equal(x, b[name]) for name, x in a.state_dict().items())


def test_darbenchs_own_weights_come_back_whole(tmp_path):
    saved, model, file = random(DAR), sit(DAR), tmp_path / "w.safetensors"
    save_file(saved.state_dict(), file)
    assert load_weights(model, file) == [] and same(model, saved)


def official(model):
    """A training checkpoint as the official scripts save it, under a wrapper's prefix."""
    state = {f"module.{key}": value for key, value in to_official(model).items()}
    empty = {key: torch.zeros_like(value) for key, value in state.items()}
    return {"model": empty, "ema": state, "opt": {"lr": 1e-4}, "args": argparse.Namespace(a=1)}


def test_an_official_checkpoint_gives_its_average(tmp_path):
    saved, model, file = random(learn_sigma=True), sit(), tmp_path / "w.pt"
    torch.save(official(saved), file)
    assert load_weights(model, file) == []
    assert torch.equal(model.blocks[1].mlp.fc1.weight, saved.blocks[1].mlp.fc1.weight)


def test_a_trunk_leaves_a_routing_as_it_is_and_says_so(tmp_path):
    saved, model, file = random(), random(DAR), tmp_path / "w.pt"
    routing = {name: x.clone() for name, x in model.routing.state_dict().items()}
    torch.save(saved.state_dict(), file)
    (note,) = load_weights(model, file)
    assert f"lacks {len(routing)} tensors of the routing" in note
    assert torch.equal(model.x_embedder.proj.weight, saved.x_embedder.proj.weight)
    assert all(torch.equal(x, model.routing.state_dict()[name]) for name, x in routing.items())


@pytest.mark.parametrize("saved", [("add", {}), ("hyper", {})])
def test_a_trunk_is_all_but_the_routing_whatever_the_file_has(saved, tmp_path):
    saved, model, file = random(saved), random(DAR), tmp_path / "w.safetensors"
    before = {name: x.clone() for name, x in model.state_dict().items()}
    save_file(saved.state_dict(), file)
    load_trunk(model, file)
    theirs = saved.state_dict()
    for name, x in model.state_dict().items():
        assert torch.equal(x, before[name] if name.startswith("routing.") else theirs[name])


def test_that_a_trunk_fits_is_known_without_memory(tmp_path):
    file = tmp_path / "w.safetensors"
    save_file(random().state_dict(), file)
    with torch.device("meta"):
        same, other = sit(DAR), sit(DAR, depth=3)
    check_trunk(same, file)
    with pytest.raises(BadInput, match=r"w\.safetensors: not this model's SiT state dict: unexp"):
        check_trunk(other, file)


def test_repas_projectors_are_named_and_left_out(tmp_path):
    saved, model, file = random(), sit(), tmp_path / "w.pt"
    state = {**saved.state_dict(), "projectors.0.0.weight": torch.zeros(3)}
    torch.save({"ema": state}, file)
    (note,) = load_weights(model, file)
    assert "projectors, 1 tensors from projectors.0.0.weight" in note and same(model, saved)


class Trap:
    def __reduce__(self):
        return print, ("run by a pickle",)


def test_a_pickle_runs_nothing(tmp_path, capsys):
    file = tmp_path / "w.pt"
    torch.save({"model": Trap()}, file)
    with pytest.raises(BadInput, match=r"w\.pt: no weights that can be read safely"):
        load_weights(sit(), file)
    file.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(BadInput, match="no weights that can be read safely"):
        load_weights(sit(), file)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_what_is_no_file_of_weights_is_named_on_one_line(tmp_path, name):
    with pytest.raises(BadInput, match="no such file"):
        load_weights(sit(), tmp_path / name)
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="can be read safely") as error:
        load_weights(sit(), tmp_path / name)
    assert "\n" not in str(error.value)


def test_weights_of_another_model_are_refused_with_what_differs(tmp_path):
    save_file(sit(width=32).state_dict(), tmp_path / "add.safetensors")
    save_file(sit(DAR, width=32).state_dict(), tmp_path / "dar.safetensors")
    torch.save([1], tmp_path / "list.pt")
    for file, model, says in (
        ("add.safetensors", sit(), "not this model's SiT state dict"),
        ("dar.safetensors", sit(DAR), "size mismatch"),
        ("list.pt", sit(), "holds a list, no state dict"),
    ):
        with pytest.raises(BadInput, match=says) as error:
            load_weights(model, tmp_path / file)
        assert "\n" not in str(error.value)
