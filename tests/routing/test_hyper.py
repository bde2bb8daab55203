import pytest
import torch
from hyper_connections import HyperConnections

from darbench.routing import hyper
from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of

PARAMS = [
    {"dynamic": False, "streams": 1},
    {"dynamic": False, "streams": 2},
    {"dynamic": False, "streams": 4},
    {"dynamic": True, "streams": 1},
    {"dynamic": True, "streams": 4},
    {"dynamic": True, "streams": 3, "tanh": False},
]
every_form = pytest.mark.parametrize("params", PARAMS)


@pytest.fixture
def no_eps(monkeypatch):
    """Set eps to zero, for the package's RMSNorm has none."""
    monkeypatch.setattr(hyper, "EPS", 0.0)


def random_hyper(params, sites=8):
    routing = routing_of(("hyper", params), sites).double()
    randomise(routing)
    return routing


def package_layer(routing, params, site):
    """The package's layer for this site with our parameters."""
    tanh = params.get("tanh", True)
    layer = HyperConnections(
        params["streams"], dim=routing.width, layer_index=site, tanh=tanh
    ).double()
    read, mix = routing.read_weight[site], routing.mix_weight[site]
    copied = {
        "static_alpha": torch.cat([read[:, None], mix], dim=1),
        "static_beta": routing.write_weight[site],
    }
    if routing.dynamic:
        copied |= {
            "dynamic_alpha_fn": routing.w_a[site],
            "dynamic_alpha_scale": routing.s_a[site],
            "dynamic_beta_fn": routing.w_b[site],
            "dynamic_beta_scale": routing.s_b[site],
            "norm.gamma": routing.gain[site] - 1,
        }
    assert not layer.load_state_dict(copied, strict=False).unexpected_keys
    return layer


def by_the_package(routing, params, v):
    expand, reduce = HyperConnections.get_expand_reduce_stream_functions(params["streams"])
    streams, h = expand(v[0]), []
    for site in range(routing.sites):
        read, add_output = package_layer(routing, params, site)(streams)
        h.append(read)
        streams = add_output(v[site + 1])
    return [*h, reduce(streams)]


@every_form
def test_reads_and_gradients_equal_the_packages_for_random_weights(params, no_eps):
    routing, v = random_hyper(params), outputs()
    leaves = [x.requires_grad_() for x in v]
    found, wanted = reads(routing, v), by_the_package(routing, params, v)
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
    weights = outputs(seed=1)
    gradients = [
        torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, h, strict=True)), leaves)
        for h in (found, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@every_form
def test_initial_weights_are_the_packages(params):
    routing = routing_of(("hyper", params))
    for site in range(routing.sites):
        fresh = HyperConnections(params["streams"], dim=routing.width, layer_index=site)
        copied = package_layer(routing, params, site).state_dict()
        for key, value in fresh.state_dict().items():
            torch.testing.assert_close(copied[key].float(), value, rtol=0, atol=0)


@every_form
def test_fresh_streams_are_all_alike_and_equal_add(params):
    routing, v = routing_of(("hyper", params)).double(), outputs()
    state = routing.begin(v[0], None)
    for site, x in enumerate(v[1:]):
        _, state = routing.take(state, site)  # which writes what is pending
        streams = state.streams.value
        assert torch.equal(streams, streams[..., :1, :].expand_as(streams))
        state = routing.write(state, site, x)
    *found, head = reads(routing, v)
    *wanted, total = reads(routing_of(("add", {})), v)
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(head, params["streams"] * total, rtol=1e-13, atol=1e-13)


def test_one_static_stream_is_a_weighted_residual():
    routing, v = random_hyper({"dynamic": False, "streams": 1}), outputs()
    a, m, b = (
        w.flatten() for w in (routing.read_weight, routing.mix_weight, routing.write_weight)
    )
    stream, wanted = v[0], []
    for site in range(8):
        wanted.append(a[site] * stream)
        stream = m[site] * stream + b[site] * v[site + 1]
    torch.testing.assert_close(reads(routing, v), [*wanted, stream], rtol=1e-13, atol=1e-13)


def test_mixing_goes_from_rows_to_columns():
    """Stream 0 is copied into stream 1 when the next site reads."""
    routing, v = routing_of(("hyper", {"dynamic": False, "streams": 2}), sites=2), outputs(2)
    routing.double()
    with torch.no_grad():
        routing.read_weight.copy_(torch.tensor([[1.0, 0.0]] * 2))
        routing.mix_weight.copy_(torch.tensor([[[0.0, 5.0], [0.0, 0.0]]] * 2))
        routing.write_weight.copy_(torch.tensor([[3.0, 0.0]] * 2))
    _, state = routing.take(routing.write(routing.begin(v[0], None), 0, v[1]), 1)
    torch.testing.assert_close(state.streams.value, torch.stack([3 * v[1], 5 * v[0]], dim=-2))


@pytest.mark.parametrize(
    ("params", "per_site"),
    [
        ({"dynamic": False, "streams": 2}, 8),
        ({"dynamic": False, "streams": 4}, 24),
        ({"dynamic": True, "streams": 4}, 24 + 16 * (4 + 1) + 16 + 2 + 16),
    ],
)
def test_parameters_of_a_site(params, per_site):
    routing = routing_of(("hyper", params), sites=6, width=16)
    assert sum(p.numel() for p in routing.parameters()) == 6 * per_site
    assert all(len(p) == 6 for p in routing.parameters())  # the leading axis is the site


@pytest.mark.parametrize("dynamic", [False, True])
def test_identity_mixing_is_the_full_form_with_its_matrices_held(dynamic):
    full = random_hyper({"dynamic": dynamic, "streams": 3})
    held = routing_of(("hyper", {"dynamic": dynamic, "streams": 3, "res": "identity"})).double()
    own = {name: value for name, value in full.state_dict().items() if name != "mix_weight"}
    if dynamic:
        own["w_a"] = own["w_a"][..., :1]
        full.w_a.data[..., 1:] = 0
    held.load_state_dict(own)
    full.mix_weight.data.copy_(torch.eye(3))
    v = outputs()
    torch.testing.assert_close(reads(held, v), reads(full, v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("params", "per_site"),
    [({"dynamic": False, "streams": 2}, 4), ({"dynamic": True, "streams": 4}, 8 + 16 * 3 + 2)],
)
def test_identity_mixing_has_no_parameters_of_mixing(params, per_site):
    routing = routing_of(("hyper", {"res": "identity", **params}), sites=6, width=16)
    assert sum(p.numel() for p in routing.parameters()) == 6 * per_site


def test_static_weights_do_not_decay_and_dynamic_ones_do_as_the_recipe_says():
    routing = routing_of(("hyper", {"lr_mult": 3.0}))
    decay = {id(p): g["weight_decay"] for g in routing.parameter_groups() for p in g["params"]}
    for name, parameter in routing.named_parameters():
        static = name in ("read_weight", "mix_weight", "write_weight")
        assert decay[id(parameter)] == (0.0 if static else None), name
    assert all(group["lr_mult"] == 3.0 for group in routing.parameter_groups())


def test_there_is_at_least_one_stream():
    with pytest.raises(ValueError, match="streams=0: must be at least 1"):
        routing_of(("hyper", {"streams": 0}))
