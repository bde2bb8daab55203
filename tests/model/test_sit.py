import math
from functools import partial

import pytest
import torch
from torch import nn

from darbench.model.sit import SiT
from darbench.model.sizes import SIZES
from darbench.registry import ROUTINGS
from darbench.routing.base import Routing
from darbench.testing.inputs import images, randomise, randomise_trunk
from tests.make.models import SETTINGS, name_of, routing_of, sit


def imagenet(size, patch=2, learn_sigma=True, setting=("add", {})):
    """A SiT for 32 x 32 x 4 latents of 1000 classes, without storage."""
    name, params = setting
    depth, width, heads = SIZES[size]
    with torch.device("meta"):
        return SiT(
            partial(ROUTINGS.get(name), **params),
            depth=depth,
            width=width,
            heads=heads,
            patch=patch,
            side=32,
            channels=4,
            classes=1000,
            learn_sigma=learn_sigma,
        )


def count(module, trained_only=False):
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained_only)


# Parameters and the official state dict


@pytest.mark.parametrize(
    ("size", "patch2", "trained", "without_sigma", "patch4", "patch8"),
    [
        ("S", 32_963_360, 32_865_056, 32_957_200, 32_945_024, 33_148_160),
        ("B", 130_512_416, 130_315_808, 130_500_112, 130_475_648, 130_881_536),
        ("L", 458_102_816, 457_840_672, 458_086_416, 458_053_760, 458_594_816),
        ("XL", 675_129_632, 674_834_720, 675_111_184, 675_074_432, 675_683_072),
    ],
)
def test_add_has_the_official_number_of_parameters(
    size, patch2, trained, without_sigma, patch4, patch8
):
    model = imagenet(size)
    assert (count(model), count(model, trained_only=True)) == (patch2, trained)
    assert count(imagenet(size, learn_sigma=False)) == without_sigma
    assert count(imagenet(size, patch=4)) == patch4
    assert count(imagenet(size, patch=8)) == patch8


@pytest.mark.parametrize(
    ("setting", "small", "extra_large"),
    [
        (("denseformer", {}), 90, 434),
        (("hyper", {"dynamic": False, "streams": 2}), 192, 448),
        (("hyper", {"dynamic": False, "streams": 4}), 576, 1_344),
        (("hyper", {"dynamic": True, "streams": 4}), 65_136, 453_040),
        (("dar", {"query": "static", "history": "full"}), 19_200, 131_328),
        (("dar", {"query": "static_t", "t_source": "reuse"}), 19_200, 131_328),
        (("dar", {"query": "static_t"}), 19_200 + 384**2, 131_328 + 1152**2),
        (("dar", {"query": "dynamic"}), 3_696_000, 75_710_592),
        (("dar", {"query": "static", "final": "reuse_last"}), 18_432, 129_024),
        (("dar", {"query": "static", "history": "chunk_sum_raw"}), 19_200, 131_328),
        (("dar", {"query": "static", "history": "log", "heads": 6}), 19_200, 131_328),
        (("dar", {"t_source": "bins"}), 96_000, 656_640),
        (("dar", {"t_source": "fourier"}), 96_000, 656_640),
        (("dar", {"t_source": "film"}), 314_880, 2_787_840),
        (("dar", {"t_source": "label"}), 166_656, 1_458_432),
        (("hyper", {"res": "identity"}), 27_888, 194_096),
        (("mhc", {}), 885_384, 6_194_664),
        (("mhc", {"streams": 2}), 147_720, 1_032_808),
        (("mhc", {"form": "permutations"}), 1_180_488, 8_259_496),
        (("attnres", {}), 19_200, 131_328),
        (("attnres", {"form": "block", "span": 7, "heads": 6}), 19_200, 131_328),
        (("delta_attnres", {}), 17_664, 126_720),
        (("rezero", {}), 12, 28),
        (("rezero", {"share": "sublayer"}), 24, 56),
        (("layerscale", {}), 9_216, 64_512),
        (("deepnorm", {}), 0, 0),
        (("highway", {}), 9_240, 64_568),
        (("highway", {"form": "full"}), 3_548_160, 74_382_336),
        (("unet", {}), 1_476_480, 34_519_680),
        (("unet", {"skip_norm": True}), 1_484_160, 34_579_584),
        (("unet", {"fusion": "add"}), 5, 13),
        (("static_scalars", {}), 325, 1_653),
        (("siamese", {}), 38_400, 262_656),
        (("mgr", {}), 17_748, 126_932),  # no gates where streams are only filled
        (("mvsplit", {}), 18_432, 129_024),
        (("mudd", {}), 35_468, 508_956),
    ],
    ids=lambda x: name_of(x) if isinstance(x, tuple) else "",
)
def test_routings_add_the_papers_number_of_parameters(setting, small, extra_large):
    with torch.device("meta"):
        assert count(routing_of(setting, 24, 384)) == small
        assert count(routing_of(setting, 56, 1152)) == extra_large


@pytest.mark.parametrize(("query", "total"), [("static", 675_260_960), ("dynamic", 750_840_224)])
def test_dar_xl_has_the_size_the_paper_prints(query, total):
    assert count(imagenet("XL", setting=("dar", {"query": query}))) == total


def official_shapes(depth, width, patch, out, tokens):
    d, p = width, patch
    shapes = {
        "pos_embed": (1, tokens, d),
        "x_embedder.proj.weight": (d, 4, p, p),
        "x_embedder.proj.bias": (d,),
        "t_embedder.mlp.0.weight": (d, 256),
        "t_embedder.mlp.0.bias": (d,),
        "t_embedder.mlp.2.weight": (d, d),
        "t_embedder.mlp.2.bias": (d,),
        "y_embedder.embedding_table.weight": (1001, d),
        "final_layer.linear.weight": (p * p * out, d),
        "final_layer.linear.bias": (p * p * out,),
        "final_layer.adaLN_modulation.1.weight": (2 * d, d),
        "final_layer.adaLN_modulation.1.bias": (2 * d,),
    }
    linears = {
        "attn.qkv": (3 * d, d),
        "attn.proj": (d, d),
        "mlp.fc1": (4 * d, d),
        "mlp.fc2": (d, 4 * d),
        "adaLN_modulation.1": (6 * d, d),
    }
    for i in range(depth):
        for name, shape in linears.items():
            shapes[f"blocks.{i}.{name}.weight"] = shape
            shapes[f"blocks.{i}.{name}.bias"] = shape[:1]
    return shapes


@pytest.mark.parametrize(("size", "patch", "keys"), [("S", 2, 132), ("L", 4, 252), ("XL", 2, 292)])
@pytest.mark.parametrize("learn_sigma", [True, False])
def test_the_state_dict_of_add_is_the_official_one(size, patch, keys, learn_sigma):
    depth, width, _ = SIZES[size]
    state = imagenet(size, patch, learn_sigma).state_dict()
    out, tokens = (8 if learn_sigma else 4), (32 // patch) ** 2
    wanted = official_shapes(depth, width, patch, out, tokens)
    assert {key: tuple(value.shape) for key, value in state.items()} == wanted
    assert len(state) == keys


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_other_routings_add_keys_under_their_prefix_alone(setting):
    trunk = set(sit().state_dict())
    keys = set(sit(setting).state_dict())
    assert trunk == {key for key in keys if not key.startswith("routing.")}


def test_positions_are_kept_and_counted_but_not_trained():
    model = sit()
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == ["pos_embed"]


# Initial values


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_models_of_one_seed_start_from_the_same_trunk_whatever_the_routing(setting):
    one, two = sit(setting, seed=3).state_dict(), sit(seed=3).state_dict()
    assert all(torch.equal(one[key], value) for key, value in two.items())


def test_initial_values_depend_on_the_seed_and_on_nothing_else():
    torch.manual_seed(1)
    one = sit(seed=3).state_dict()
    torch.manual_seed(2)
    same, other = sit(seed=3).state_dict(), sit(seed=4).state_dict()
    assert all(torch.equal(one[key], value) for key, value in same.items())
    drawn = [key for key, value in one.items() if value.any() and key != "pos_embed"]
    assert len(drawn) == 4 + 4 * 4  # patches, timestep twice, labels, four linears a block
    assert not any(torch.equal(one[key], other[key]) for key in drawn)
    values = [one[key].flatten()[:5].tolist() for key in drawn]
    assert len({tuple(v) for v in values}) == len(drawn)  # every parameter has its own stream


class Noisy(Routing):
    """A routing that draws its initial values from torch's global generator."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.noise = nn.Parameter(torch.randn(sites, width))

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + v


def noisy(seed):
    return SiT(
        Noisy, depth=1, width=16, heads=2, patch=2, side=4, channels=1, classes=2, seed=seed
    )


def test_a_routings_own_random_values_are_seeded_and_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = noisy(0), noisy(0), noisy(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.routing.noise, two.routing.noise)
    assert not torch.equal(one.routing.noise, other.routing.noise)


def test_initial_values_follow_the_official_recipe():
    model = sit(width=64, heads=4)
    zero = {n for n, p in model.named_parameters() if not p.any()}
    named = {n for n, _ in model.named_parameters()}
    assert zero == {
        n for n in named if n.endswith("bias") or "adaLN" in n or n == "final_layer.linear.weight"
    }
    for name, parameter in model.named_parameters():
        if name in zero or name == "pos_embed":
            continue
        if name.startswith(("t_embedder", "y_embedder")):
            assert parameter.std().item() == pytest.approx(0.02, rel=0.2), name
        else:
            fan_out, fan_in = parameter.flatten(1).shape
            bound = math.sqrt(6 / (fan_in + fan_out))
            assert 0.98 * bound < parameter.abs().max() <= bound, name
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1), name


def test_zero_t_embed_zeroes_the_last_timestep_layer_and_nothing_else():
    plain, zeroed = sit().state_dict(), sit(zero_t_embed=True).state_dict()
    changed = [key for key in plain if not torch.equal(plain[key], zeroed[key])]
    assert changed == ["t_embedder.mlp.2.weight"]
    assert not zeroed["t_embedder.mlp.2.weight"].any()


def without_time(setting):
    """A model whose timestep embedding is zero and whose trunk is random otherwise."""
    model = sit(setting, zero_t_embed=True).double()
    for part in (model.x_embedder, model.y_embedder, model.blocks, model.final_layer):
        randomise(part)
    return model


def test_with_a_zero_timestep_embedding_dars_paper_form_starts_as_add():
    paper = without_time(("dar", {"query": "static_t", "t_source": "reuse", "history": "full"}))
    with torch.no_grad():
        actual, add = paper(*images()), without_time(("add", {}))(*images())
    torch.testing.assert_close(actual, add, rtol=0, atol=1e-4 * add.abs().max().item())


# The pieces, against their definitions


def modulated(h, shift, scale):
    return nn.functional.layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + scale) + shift


def attended(attn, x):
    """Multi-head self-attention, head by head."""
    q, k, v = (part.chunk(attn.heads, -1) for part in attn.qkv(x).chunk(3, -1))
    heads = [
        (a @ b.mT / math.sqrt(a.shape[-1])).softmax(-1) @ c
        for a, b, c in zip(q, k, v, strict=True)
    ]
    return attn.proj(torch.cat(heads, -1))


def activated(mlp, x):
    return mlp.fc2(nn.functional.gelu(mlp.fc1(x), approximate="tanh"))


def plain_sit(model, x, t, label):
    """SiT with plain additions, from the formulas and the model's weights."""
    c = model.t_embedder(t) + model.y_embedder.embedding_table.weight[label]
    p, (batch, channels, side, _) = model.patch, x.shape
    grid = side // p
    patches = x.view(batch, channels, grid, p, grid, p).permute(0, 2, 4, 1, 3, 5)
    weight = model.x_embedder.proj.weight.flatten(1)
    stream = patches.reshape(batch, grid**2, -1) @ weight.T + model.x_embedder.proj.bias
    stream = stream + model.pos_embed
    for block in model.blocks:
        six = block.adaLN_modulation(c).unsqueeze(1).chunk(6, dim=-1)
        stream = stream + six[2] * attended(block.attn, modulated(stream, *six[:2]))
        stream = stream + six[5] * activated(block.mlp, modulated(stream, *six[3:5]))
    shift, scale = model.final_layer.adaLN_modulation(c).unsqueeze(1).chunk(2, dim=-1)
    out = model.final_layer.linear(modulated(stream, shift, scale))
    out = torch.einsum("nhwpqc->nchpwq", out.view(batch, grid, grid, p, p, -1))
    return out.reshape(batch, -1, side, side)[:, :channels]


@pytest.mark.parametrize("learn_sigma", [False, True])
@pytest.mark.parametrize("patch", [2, 4])
def test_add_is_a_plain_stack_of_blocks(patch, learn_sigma):
    model = sit(patch=patch, learn_sigma=learn_sigma).double()
    randomise_trunk(model)
    with torch.no_grad():
        actual, wanted = model(*images()), plain_sit(model, *images())
    assert actual.shape == (3, 3, 8, 8)
    assert wanted.std() > 0.1
    torch.testing.assert_close(actual, wanted, rtol=1e-10, atol=1e-10)


def test_a_patch_must_divide_the_image_side():
    with pytest.raises(ValueError, match="patch=3: must divide the image side, 8"):
        sit(patch=3)
