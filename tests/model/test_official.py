import json
from functools import partial

import pytest
import torch

from darbench.flow.samplers import guided
from darbench.model.official import load_official, to_official
from darbench.model.sit import SiT
from darbench.model.sizes import SIZES
from darbench.registry import ROUTINGS
from darbench.testing.inputs import images, randomise, randomise_trunk
from tests.make.models import SETTINGS, name_of, sit
from tests.model import record_official_model as recorded

OFFICIAL = json.loads(recorded.RECORD.read_text())
both_heads = pytest.mark.parametrize("learn_sigma", [False, True])


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
    actual = to_official(model)
    assert actual.keys() == state.keys()
    assert all(torch.equal(actual[key], value) for key, value in state.items())
    after = model.routing.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@both_heads
@pytest.mark.parametrize("name", ROUTINGS.names())
def test_every_routing_takes_an_official_checkpoint(name, learn_sigma):
    """Keys are missing only under its prefix, with and without learn_sigma; `add` has none."""
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


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


# What people have on disk, made of the weights `state` and of others.
SAVED = {
    "training's": lambda state, other: {"model": other, "ema": state, "opt": {"lr": 1}, "args": 0},
    "without an EMA": lambda state, other: {"model": state, "ema": None, "opt": {}},
    "Lightning's": lambda state, other: {"epoch": 3, "state_dict": state},
    "of DDP": lambda state, other: prefixed("module.", state),
    "compiled": lambda state, other: prefixed("_orig_mod.", state),
    "compiled, of DDP": lambda state, other: {
        "model": other,
        "ema": prefixed("module._orig_mod.", state),
    },
    "float64": lambda state, other: {k: v.double() for k, v in state.items()},
}


@pytest.mark.parametrize("name", SAVED)
def test_checkpoints_as_they_are_saved_answer_as_the_model_they_hold(name):
    saved, state = random_state(learn_sigma=True)
    other = {key: value + 1 for key, value in state.items()}
    model = sit()
    assert load_official(model, SAVED[name](state, other)) == []
    with torch.no_grad():
        x = images(dtype=torch.float32)
        torch.testing.assert_close(model(*x), saved(*x), rtol=1e-5, atol=1e-5)


def test_half_precision_is_the_rounded_weight():
    _, state = random_state()
    model = sit()
    load_official(model, {key: value.bfloat16() for key, value in state.items()})
    weight = "blocks.0.attn.qkv.weight"
    assert model.state_dict()[weight].dtype == torch.float32
    assert torch.equal(model.state_dict()[weight], state[weight].bfloat16().float())


UNFIT = {
    "blocks.0.attn.qkv.weight is not finite": lambda w: torch.full_like(w, float("nan")),
    "blocks.0.attn.qkv.weight is not finite; x": lambda w: w.clone().index_fill_(
        0, torch.tensor([0]), float("inf")
    ),
    "blocks.0.attn.qkv.weight is torch.int8, no floating-point": lambda w: w.to(torch.int8),
    "blocks.0.attn.qkv.weight is list, no floating-point tensor": lambda w: w.tolist(),
}


@pytest.mark.parametrize("message", UNFIT)
def test_weights_that_are_no_finite_numbers_are_refused_and_nothing_is_loaded(message):
    _, state = random_state()
    key = "blocks.0.attn.qkv.weight"
    model = sit()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message.partition("; x")[0]):
        load_official(model, state | {key: UNFIT[message](state[key])})
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_checkpoint_of_something_else_names_what_is_missing():
    with pytest.raises(ValueError, match=r"missing blocks\.0"):
        load_official(sit(), {})
    with pytest.raises(ValueError, match="unexpected epoch"):
        load_official(sit(), {"epoch": 3} | random_state()[1])


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


# Against the official code, of which record_official_model.py wrote down the answers


def small(learn_sigma):
    return sit(
        depth=recorded.DEPTH,
        width=recorded.WIDTH,
        heads=recorded.HEADS,
        patch=recorded.PATCH,
        side=recorded.SIDE,
        channels=recorded.CHANNELS,
        classes=recorded.CLASSES,
        learn_sigma=learn_sigma,
    )


def filled(learn_sigma, checkpoint_sigma):
    """Our model in float64, its state dict made of the official names and shapes alone."""
    official = OFFICIAL[f"learn_sigma {checkpoint_sigma}"]["shapes"]
    state = {name: recorded.parameter(name, shape) for name, shape in official.items()}
    model = small(learn_sigma).double()
    assert load_official(model, state) == []
    return model


def shapes(model):
    return {name: list(value.shape) for name, value in model.state_dict().items()}


# Both compute the frequencies of t in float32, whose last bits are not the same on every CPU.
TOLERANCE = 2e-8


def agree(actual, wanted, tolerance=TOLERANCE):
    wanted = torch.tensor(wanted, dtype=torch.float64).view(actual.shape)
    assert wanted.std() > 0.1
    torch.testing.assert_close(actual.double(), wanted, rtol=tolerance, atol=tolerance)


@both_heads
def test_the_state_dict_is_that_of_the_official_code(learn_sigma):
    assert shapes(small(learn_sigma)) == OFFICIAL[f"learn_sigma {learn_sigma}"]["shapes"]


def test_the_state_dict_of_s2_is_that_of_the_official_code():
    depth, width, heads = SIZES["S"]
    with torch.device("meta"):
        model = SiT(
            ROUTINGS.get("add"),
            depth=depth,
            width=width,
            heads=heads,
            patch=2,
            side=32,
            channels=4,
            classes=1000,
            learn_sigma=True,
        )
    assert shapes(model) == OFFICIAL["SiT-S/2"]


def test_the_positions_are_those_of_the_official_code():
    """The official ones are in float32, of which seven digits are recorded."""
    agree(small(False).pos_embed.detach(), OFFICIAL["pos_embed"], 1e-6)


@pytest.mark.parametrize(("learn_sigma", "sigma"), [(False, False), (True, True), (False, True)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, TOLERANCE), (torch.float32, 1e-5)]
)
def test_add_answers_as_the_official_code(learn_sigma, sigma, dtype, tolerance):
    """The cases: sigma in both, in neither, and in the checkpoint alone."""
    model = filled(learn_sigma, sigma).to(dtype)
    x = recorded.images(len(recorded.TIMES)).to(dtype)
    t, label = torch.tensor(recorded.TIMES, dtype=dtype), torch.tensor(recorded.LABELS)
    with torch.no_grad():
        actual = model(x, t, label)
    agree(actual, OFFICIAL[f"learn_sigma {sigma}"]["v"], tolerance)


def test_guidance_is_that_of_the_official_code_but_for_its_unguided_fourth_channel():
    """The official code leaves the fourth channel as it is: with the label in the first half and
    without it in the second."""
    model = filled(True, True)
    x, t = recorded.images(2), torch.tensor(recorded.GUIDED_TIMES, dtype=torch.float64)
    answer = partial(guided, model, torch.tensor(recorded.GUIDED_LABELS), recorded.CLASSES)
    with torch.no_grad():
        actual, conditional, unconditional = (answer(s)(x, t) for s in (recorded.SCALE, 1.0, 0.0))
    halves = [
        torch.cat([actual[:, :3], unguided[:, 3:]], dim=1)
        for unguided in (conditional, unconditional)
    ]
    agree(torch.cat(halves), OFFICIAL["guided"])
