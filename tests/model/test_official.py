import pytest
import torch
from builders import SETTINGS, images, name_of, randomise, randomise_trunk, sit

from darbench import registry
from darbench.model.official import load_official, to_official


def random_state(**changes):
    model = sit(seed=1, **changes)
    randomise_trunk(model)
    return model, {key: value.clone() for key, value in model.state_dict().items()}


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_loading_fills_the_trunk_and_names_the_routing_keys_it_left(setting):
    _, state = random_state()
    model = sit(setting)
    before = {key: value.clone() for key, value in model.routing.state_dict().items()}
    left = load_official(model, state)
    assert sorted(left) == sorted(f"routing.{key}" for key in before)
    found = to_official(model)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    after = model.routing.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("learn_sigma", [False, True])
@pytest.mark.parametrize("name", registry.routings())
def test_every_routing_takes_an_official_checkpoint(name, learn_sigma):
    """Missing keys only under its prefix, with and without learn_sigma; `add` has none."""
    _, state = random_state(learn_sigma=learn_sigma)
    left = load_official(sit((name, {})), state)
    assert all(key.startswith("routing.") for key in left)
    model = sit((name, {}), learn_sigma=learn_sigma)
    assert load_official(model, state) == left
    strict = sit(learn_sigma=learn_sigma).load_state_dict(to_official(model), strict=True)
    assert not strict.missing_keys and not strict.unexpected_keys
    assert (left == []) == (not list(model.routing.parameters()))


def test_a_loaded_add_answers_as_the_model_that_was_saved():
    saved, state = random_state()
    model = sit()
    assert load_official(model, state) == []
    with torch.no_grad():
        x = images(dtype=torch.float32)
        assert torch.equal(model(*x), saved(*x))


@pytest.mark.parametrize("patch", [2, 4])
def test_a_checkpoint_with_sigma_answers_the_same_without_it(patch):
    """The official forward drops the second half of the channels after unpatchifying."""
    saved, state = random_state(learn_sigma=True, patch=patch)
    model = sit(patch=patch)
    load_official(model, state)
    with torch.no_grad():
        x = images(dtype=torch.float32)
        torch.testing.assert_close(model(*x), saved(*x), rtol=1e-5, atol=1e-5)


def test_a_checkpoint_with_sigma_loads_unchanged_into_a_model_with_it():
    saved, state = random_state(learn_sigma=True)
    model = sit(learn_sigma=True)
    load_official(model, state)
    assert torch.equal(model.final_layer.linear.weight, saved.final_layer.linear.weight)


def test_a_checkpoint_without_sigma_does_not_fit_a_model_with_it():
    _, state = random_state()
    with pytest.raises(ValueError, match=r"final_layer.linear.bias is \(12,\), not \(24,\)"):
        load_official(sit(learn_sigma=True), state)


def test_missing_and_unexpected_keys_and_other_shapes_are_named_and_nothing_is_loaded():
    _, state = random_state()
    del state["blocks.1.mlp.fc1.bias"]
    state["blocks.9.mlp.fc1.bias"] = torch.zeros(3)
    state["t_embedder.mlp.0.bias"] = torch.zeros(3)
    model = sit()
    before = model.x_embedder.proj.weight.clone()
    with pytest.raises(ValueError) as error:
        load_official(model, state)
    assert "missing blocks.1.mlp.fc1.bias" in str(error.value)
    assert "unexpected blocks.9.mlp.fc1.bias" in str(error.value)
    assert "t_embedder.mlp.0.bias is (3,), not (16,)" in str(error.value)
    assert torch.equal(model.x_embedder.proj.weight, before)


def test_routing_keys_are_not_official():
    trained = sit(("dar", {}))
    randomise(trained)
    assert set(to_official(trained)) == set(sit().state_dict())
    with pytest.raises(ValueError, match=r"unexpected routing\."):
        load_official(sit(("dar", {})), trained.state_dict())


def test_a_state_dict_is_not_changed_by_loading_it():
    _, state = random_state(learn_sigma=True)
    copy = {key: value.clone() for key, value in state.items()}
    load_official(sit(), state)
    assert all(torch.equal(state[key], value) for key, value in copy.items())
