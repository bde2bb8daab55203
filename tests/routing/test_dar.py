import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from darbench.testing.inputs import conditions, outputs, randomise, reads
from tests.make.models import routing_of
from tests.routing.by_attention import attend
from tests.routing.source_sets import source_sets

QUERIES = [
    {"query": "static"},
    {"query": "static_t"},
    {"query": "static_t", "t_source": "reuse"},
    {"query": "dynamic"},
]
HISTORIES = [
    {"history": "full"},
    *({"history": h, "span": s} for h in ("chunk_last", "chunk_sum") for s in (1, 2, 3, 4, 7, 8)),
    *({"history": "window", "span": s} for s in (1, 3, 8)),
    *({"history": "chunk_sum_raw", "span": s} for s in (1, 3, 4)),
    *({"history": "dilated", "span": s} for s in (1, 2, 3)),
    {"history": "log"},
]
every_query = pytest.mark.parametrize("query", QUERIES)
every_history = pytest.mark.parametrize("history", HISTORIES, ids=str)


def random_dar(sites=8, **params):
    routing = routing_of(("dar", params), sites).double()
    randomise(routing, std=1.0)
    return routing


def query_of(routing, reader, v, cond):
    """q of reader 1 .. sites + 1 as in the paper, (B, T, D)."""
    row = reader - 1
    if routing.query == "dynamic":
        return v[reader - 1] @ routing.w_q[row].T
    q = routing.w[row].expand_as(v[0])
    if routing.query == "static":
        return q
    e_t = cond.t if routing.t_source == "reuse" else cond.t @ routing.conditioner.e_t.T
    return q + e_t[:, None]


def by_torch(routing, v, cond):
    """One query a token over the source sets of the definition; torch scales by 1 / sqrt(D)."""
    h = []
    for reader in range(1, routing.sites + 2):
        sets = source_sets(routing.history, routing.span, routing.sites, reader)
        values = torch.stack([sum(v[i] for i in source) for source in sets], dim=2)  # B T J D
        normed = torch.nn.functional.rms_norm(values, values.shape[-1:], eps=1e-6)
        q = query_of(routing, reader, v, cond).unsqueeze(2)
        keys = routing.gain[reader - 1] * normed
        h.append(scaled_dot_product_attention(q, keys, values).squeeze(2))
    return h


@every_query
@pytest.mark.parametrize("history", ["full", "chunk_last"])
@pytest.mark.parametrize(
    ("heads", "scale", "gain"), [(4, "sqrt", True), (4, "none", False), (1, "none", True)]
)
def test_heads_scale_and_gain_are_those_of_torchs_attention(query, history, heads, scale, gain):
    routing = random_dar(history=history, heads=heads, scale=scale, gain=gain, **query)
    v, cond = outputs(), conditions()
    own = 1 / math.sqrt(16 / heads) if scale == "sqrt" else 1.0
    for reader, h in enumerate(reads(routing, v, cond), start=1):
        sets = source_sets(history, 4, 8, reader)
        values = [sum(v[i] for i in source) for source in sets]
        q = query_of(routing, reader, v, cond) * (routing.gain[reader - 1] if gain else 1)
        torch.testing.assert_close(h, attend(q, values, own, heads), rtol=1e-12, atol=1e-12)


@every_query
@pytest.mark.parametrize("history", ["full", "chunk_last"])
def test_the_head_may_share_the_last_readers_query_and_gain(query, history):
    """It reads as a dedicated query of equal values would; a dynamic one is made of the last v."""
    shared = random_dar(final="reuse_last", history=history, **query)
    dedicated = random_dar(history=history, **query)
    own = {
        name: torch.cat([value, value[-1:]]) if len(value) == 8 else value
        for name, value in shared.state_dict().items()
    }
    dedicated.load_state_dict(own)
    v, cond = outputs(), conditions()
    assert all(map(torch.equal, reads(shared, v, cond), reads(dedicated, v, cond)))


def test_without_the_value_gate_sublayers_hand_over_ungated_outputs():
    """An ablation; the model asks the routing, and nothing else of it changes."""
    gated, bare = routing_of(("dar", {})), routing_of(("dar", {"value_gate": False}))
    assert (gated.gate, bare.gate) == ("adaln", "none")
    assert (gated.equals_add, bare.equals_add) == ("weak", "no")
    randomise(gated.double())
    bare.double().load_state_dict(gated.state_dict())
    assert all(map(torch.equal, reads(gated, outputs()), reads(bare, outputs())))


@every_history
@every_query
def test_every_read_equals_torchs_attention_over_the_defined_sources(query, history):
    routing, v, cond = random_dar(**query, **history), outputs(), conditions()
    found, wanted = reads(routing, v, cond), by_torch(routing, v, cond)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@every_query
@pytest.mark.parametrize("history", ["chunk_last", "chunk_sum"])
def test_gradients_of_parameters_and_outputs_equal_torchs(query, history):
    routing, cond = random_dar(history=history, span=3, **query), conditions()
    v = [x.requires_grad_() for x in outputs()]
    leaves = [*routing.parameters(), *v]
    weights = outputs(seed=1)
    gradients = [
        torch.autograd.grad(sum((w * x).sum() for w, x in zip(weights, h, strict=True)), leaves)
        for h in (reads(routing, v, cond), by_torch(routing, v, cond))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@every_query
def test_more_sites_with_a_ragged_last_chunk_equal_torchs_attention(query):
    routing = random_dar(sites=14, history="chunk_last", span=4, **query)
    v, cond = outputs(sites=14), conditions()
    found, wanted = reads(routing, v, cond), by_torch(routing, v, cond)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@every_query
def test_chunks_of_one_or_of_all_sites_are_the_full_history(query):
    v, cond = outputs(), conditions()
    full = random_dar(history="full", **query)
    wanted = reads(full, v, cond)
    for span in (1, 8, 9):
        chunked = routing_of(("dar", {"history": "chunk_last", "span": span, **query})).double()
        chunked.load_state_dict(full.state_dict())
        assert all(map(torch.equal, reads(chunked, v, cond), wanted))


@every_history
@every_query
def test_fresh_reads_are_means_of_the_defined_sources(query, history):
    """But for the reused timestep embedding, which is not zero by itself."""
    routing, v = routing_of(("dar", {**query, **history})).double(), outputs()
    cond = conditions()
    if routing.t_source == "reuse":
        cond = cond._replace(t=torch.zeros_like(cond.t))
    for reader, h in enumerate(reads(routing, v, cond), start=1):
        sets = source_sets(routing.history, routing.span, 8, reader)
        mean = sum(v[i] for source in sets for i in source) / len(sets)
        torch.testing.assert_close(h, mean, rtol=1e-13, atol=1e-14)


def test_the_first_reader_returns_the_embedding_whatever_its_query():
    v = outputs()
    for query in QUERIES:
        torch.testing.assert_close(reads(random_dar(**query), v)[0], v[0], rtol=1e-15, atol=0)


def test_begin_makes_the_queries_of_all_readers_at_once():
    v, cond = outputs(), conditions()
    for query in QUERIES:
        routing = random_dar(**query)
        state = routing.begin(v[0], cond)
        assert len(state.queries) == routing.sites + 1
        later = routing.write(routing.write(state, 0, v[1]), 1, v[2])
        assert later.queries is state.queries


def t_matters(routing):
    """Whether the read changes with the timestep embedding alone, for every reader."""
    v, cond = outputs(), conditions()
    other = cond._replace(t=-cond.t)
    return [
        not torch.equal(a, b)
        for a, b in zip(reads(routing, v, cond), reads(routing, v, other), strict=True)
    ]


def test_only_a_time_injected_query_looks_at_the_time():
    assert not any(t_matters(random_dar(query="static")))
    assert not any(t_matters(random_dar(query="dynamic")))
    assert t_matters(random_dar(query="static_t")) == [False] + [True] * 8
    reuse = routing_of(("dar", {"query": "static_t", "t_source": "reuse"})).double()
    assert t_matters(reuse) == [False] + [True] * 8


def test_the_time_projection_opens_with_its_first_nonzero_entry():
    routing = routing_of(("dar", {"query": "static_t"})).double()
    assert not any(t_matters(routing))
    with torch.no_grad():
        routing.conditioner.e_t[3, 5] = 1.0
    assert t_matters(routing) == [False] + [True] * 8


def test_the_injected_vector_is_the_timestep_embedding_without_the_label():
    routing, v, cond = random_dar(query="static_t"), outputs(), conditions()
    other = cond._replace(y=-cond.y, c=cond.t - cond.y, label=cond.label + 1)
    assert all(map(torch.equal, reads(routing, v, cond), reads(routing, v, other)))


def test_each_sample_has_its_own_time():
    routing, v, cond = random_dar(query="static_t"), outputs(), conditions()
    t = cond.t.clone()
    t[1] += 1
    before, after = reads(routing, v, cond)[-1], reads(routing, v, cond._replace(t=t))[-1]
    assert torch.equal(before[0], after[0])
    assert (before[1] != after[1]).any(-1).all()  # every token of the sample


def test_a_dynamic_query_is_made_of_the_newest_output():
    """v_0 at the first site, v_L at the head; W_q is the identity here."""
    v = outputs()
    for reader in (0, 3, 8):
        routing = routing_of(("dar", {"query": "dynamic", "history": "full"})).double()
        with torch.no_grad():
            routing.w_q[reader] = torch.eye(16)
        state = routing.begin(v[0], conditions())
        for site in range(reader):
            state = routing.write(state, site, v[site + 1])
        keys = torch.stack(v[: reader + 1])
        logits = (v[reader] * torch.nn.functional.rms_norm(keys, (16,), eps=1e-6)).sum(-1) / 4
        wanted = (logits.softmax(0).unsqueeze(-1) * keys).sum(0)
        torch.testing.assert_close(routing.read(state, reader), wanted, rtol=1e-12, atol=1e-13)


def test_logits_do_not_change_when_a_source_grows_so_a_read_is_linear_in_its_size():
    routing = random_dar(query="static", history="full")
    v = outputs()
    one, two, three = (
        reads(routing, [a * x for a, x in zip(s, v, strict=True)])[-1]
        for s in ([1] * 9, [1, 2] + [1] * 7, [1, 3] + [1] * 7)
    )
    torch.testing.assert_close(three - two, two - one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"query": "static"}, 9 * 2 * 16),
        ({"query": "static_t", "t_source": "reuse"}, 9 * 2 * 16),
        ({"query": "static_t"}, 9 * 2 * 16 + 16**2),
        ({"query": "dynamic"}, 9 * (16**2 + 16)),
        ({"query": "dynamic", "final": "reuse_last"}, 8 * (16**2 + 16)),
        ({"query": "static", "gain": False}, 9 * 16),
        ({"query": "static", "heads": 4, "final": "reuse_last"}, 8 * 2 * 16),
    ],
)
def test_every_site_and_the_head_have_a_reader_of_their_own(params, count):
    routing = routing_of(("dar", params), sites=8, width=16)
    assert sum(p.numel() for p in routing.parameters()) == count


def test_queries_start_at_zero_and_gains_at_one():
    for params in QUERIES:
        for name, parameter in routing_of(("dar", params)).named_parameters():
            assert (parameter == (1 if name == "gain" else 0)).all(), name


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"span": 0}, "span=0: must be at least 1"),
        ({"heads": 3}, "heads=3: must divide"),
        ({"heads": 0}, "heads=0"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        routing_of(("dar", params))
