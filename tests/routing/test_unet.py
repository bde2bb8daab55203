import pytest
import torch

from darbench.routing.unet import partners
from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

PAPERS = {  # blocks counted from 0; even: HunyuanDiT, odd: U-ViT
    1: {},
    2: {},
    3: {},
    4: {3: 0},
    5: {3: 1, 4: 0},
    6: {4: 1, 5: 0},
    7: {4: 2, 5: 1, 6: 0},
    12: {7: 4, 8: 3, 9: 2, 10: 1, 11: 0},
    13: {7: 5, 8: 4, 9: 3, 10: 2, 11: 1, 12: 0},
}


def unet(sites=24, **params):
    return routing_of(("unet", params), sites).double()


def by_the_definition(v, pairs, fuse):
    """The reads of every site and of the head; late blocks begin with fuse(stream, skip, pair)."""
    stream, after, h = v[0], {}, []
    for block in range(len(v) // 2):
        if block in pairs:
            stream = fuse(stream, after[pairs[block]], list(pairs).index(block))
        for x in v[2 * block + 1 : 2 * block + 3]:
            h.append(stream)
            stream = stream + x
        after[block] = stream
    return [*h, stream]


@pytest.mark.parametrize(("depth", "pairs"), PAPERS.items())
def test_blocks_pair_as_in_the_papers(depth, pairs):
    assert partners(depth) == pairs


@pytest.mark.parametrize(("depth", "count"), [(24, 11), (28, 13)])
def test_large_models_have_the_papers_number_of_pairs(depth, count):
    found = partners(depth)
    assert (len(found), min(found), found[min(found)]) == (count, depth // 2 + 1, depth // 2 - 2)


@pytest.mark.parametrize(
    ("depth", "outer"), [(4, {3: 0}), (5, {4: 0}), (12, {9: 2, 10: 1, 11: 0})]
)
def test_the_outer_half_of_the_pairs_is_kept(depth, outer):
    assert partners(depth, "outer") == outer


@pytest.mark.parametrize("sites", [8, 10, 24, 26])
@pytest.mark.parametrize("pairs", ["all", "outer"])
@pytest.mark.parametrize("form", ["linear", "normed", "add"])
def test_reads_are_those_of_the_definition_for_any_weights(sites, pairs, form):
    fusion, norm = ("add", False) if form == "add" else ("linear", form == "normed")
    routing = unet(sites, fusion=fusion, skip_norm=norm, pairs=pairs)
    randomise(routing)

    def fuse(stream, skip, pair):
        if form == "add":
            return stream + routing.scale[pair] * skip
        both = torch.cat([stream, skip], dim=-1)
        if norm:
            own = routing.norm[pair]
            both = torch.nn.functional.layer_norm(both, (32,), own.weight, own.bias, eps=1e-6)
        return both @ routing.w[pair].T + routing.b[pair]

    v = outputs(sites)
    wanted = by_the_definition(v, partners(sites // 2, pairs), fuse)
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("params", [{}, {"fusion": "add"}])
def test_a_fresh_identity_is_add_to_the_last_bit(params):
    v = outputs(24)
    assert all(map(torch.equal, reads(unet(**params), v), reads(routing_of(("add", {}), 24), v)))


def test_two_identities_add_the_skip():
    routing, v = unet(), outputs(24)
    for w in routing.w:
        w.data.copy_(torch.eye(16).repeat(1, 2))
    wanted = by_the_definition(v, partners(12), lambda stream, skip, pair: stream + skip)
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("params", [{}, {"init": "xavier"}, {"fusion": "add"}])
def test_shallow_models_have_no_skips_and_are_add(params):
    routing, v = unet(6, **params), outputs(6)
    assert sum(p.numel() for p in routing.parameters()) == 0
    assert routing.equals_add == "strong"
    assert all(map(torch.equal, reads(routing, v), reads(routing_of(("add", {}), 6), v)))


def test_a_skip_is_forgotten_once_it_is_read():
    routing, v = unet(), outputs(24)
    state, held = routing.begin(v[0], None), []
    for site in range(24):
        state = routing.write(state, site, v[site + 1])
        held.append(len(state.skips))
    assert held[1::2] == [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0, 0]


@pytest.mark.parametrize("params", [{}, {"skip_norm": True}, {"fusion": "add"}])
def test_the_stream_stays_in_float32_under_autocast(params):
    v = outputs(24, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = reads(unet(**params).float(), [v[0], *(x.bfloat16() for x in v[1:])])
    assert {h.dtype for h in found} == {torch.float32}


def test_initial_fusions_are_those_of_the_papers():
    xavier, small = unet(init="xavier", skip_norm=True), unet(init="trunc002")
    limit = (6 / (3 * 16)) ** 0.5
    for w in xavier.w:
        assert 0.95 * limit < w.abs().max() <= limit
    weights = torch.stack(list(small.w))
    assert weights.std().item() == pytest.approx(0.0176, rel=0.05)  # 0.02, cut at two deviations
    assert weights.abs().max() <= 0.04
    assert not torch.equal(small.w[0], small.w[1])
    assert not any(b.any() for b in (xavier.b, small.b))
    assert all((n.weight == 1).all() and (n.bias == 0).all() for n in xavier.norm)


@pytest.mark.parametrize(
    ("params", "equality"),
    [
        ({"init": "xavier"}, "no"),
        ({"init": "trunc002"}, "no"),
        ({"skip_norm": True}, "weak"),
        ({"init": "xavier", "fusion": "add"}, "strong"),
    ],
)
def test_only_an_identity_without_norm_is_add_for_any_trunk(params, equality):
    assert unet(**params).equals_add == equality
