"""Softmax weights as they are heard: of the definition, whichever kernel reads."""

import numpy as np
import pytest
import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention

from darbench.diagnose.weights import softmax_weights
from darbench.ops.depth_attention import depth_attention, source
from darbench.ops.depth_attention.listener import LISTENERS, listening
from tests.diagnose.models import SITES, TIMES, batch_of, model_of
from tests.ops.depth import FORMS, outputs, queries

BATCH, TOKENS, COUNT, WIDTH = 2, 3, 5, 16


def heard_of(dtype, form, heads=1):
    values = [v.to(dtype) for v in outputs(COUNT, (BATCH, TOKENS, WIDTH))]
    query = queries(BATCH, TOKENS, WIDTH, form).to(dtype)
    with listening() as heard:
        h, _ = depth_attention(query, [source(v) for v in values], 0.25, heads)
    (read,) = heard
    assert all(a is b for a, b in zip(read.values, values, strict=True))
    return h, read.weights, query, values


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("heads", [1, 4])
def test_they_are_the_weights_of_torchs_attention(form, heads):
    """Attention over values that are one-hot by source returns its weights."""
    _, weights, query, values = heard_of(torch.float64, form, heads)
    keys = rms_norm(torch.stack(values, dim=2), (WIDTH,), eps=1e-6)  # B T J D
    query = query.expand_as(values[0]).unsqueeze(2)
    q, k = (x.unflatten(-1, (heads, -1)).transpose(2, 3) for x in (query, keys))  # B T H . d
    one_hot = torch.eye(COUNT, dtype=torch.float64).expand(BATCH, TOKENS, heads, -1, -1)
    wanted = scaled_dot_product_attention(q, k, one_hot, scale=0.25).squeeze(3)
    torch.testing.assert_close(weights, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("heads", [1, 4])
def test_they_sum_to_one_and_weigh_what_is_read(dtype, heads):
    h, weights, _, values = heard_of(dtype, "per token", heads)
    assert weights.shape == (BATCH, TOKENS, heads, COUNT) and not weights.requires_grad
    bound = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 2e-2}[dtype]
    total = weights.sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-6, atol=0)
    v = torch.stack(values, dim=-1).unflatten(2, (heads, -1)).to(weights.dtype)  # B T H d J
    mixed = (v * weights.unsqueeze(3)).sum(-1).flatten(2)
    torch.testing.assert_close(mixed, h.to(mixed.dtype), rtol=bound, atol=10 * bound)


def test_nobody_listens_after_an_error_and_two_hear_the_same():
    with pytest.raises(RuntimeError), listening():
        raise RuntimeError
    assert LISTENERS == []
    with listening() as one:
        with listening() as two:
            heard_of(torch.float32, "one")
        heard_of(torch.float32, "one")
    assert (len(one), len(two), LISTENERS) == (2, 1, [])


def test_of_a_model_every_row_of_sources_that_are_there_sums_to_one():
    found = softmax_weights(model_of("attnres"), batch_of(), TIMES)["softmax_weights"]
    assert found.values.shape == (len(TIMES), SITES + 1, SITES + 1)
    np.testing.assert_allclose(np.nansum(found.values, -1), 1, rtol=1e-12)
    assert np.isnan(found.values[:, 0, 1:]).all() and (found.values[:, 0, 0] == 1).all()


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"history": "full"}, [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]),
        ({"history": "chunk_last", "span": 2}, [[0], [0, 1], [0, 2], [0, 2, 3], [0, 2, 4]]),
        ({"history": "chunk_sum", "span": 2}, [[0], [0, 1], [0, 2], [0, 2, 3], [0, 2, 4]]),
        ({"history": "window", "span": 2}, [[0], [0, 1], [0, 1, 2], [0, 2, 3], [0, 3, 4]]),
    ],
)
def test_a_source_has_the_name_of_the_newest_output_that_it_is_made_of(params, wanted):
    found = softmax_weights(model_of("dar", **params), batch_of(), TIMES[:1])["softmax_source"]
    assert [[j for j in row if j >= 0] for row in found.values.tolist()][:5] == wanted


def test_a_source_that_is_no_output_has_no_name():
    found = softmax_weights(model_of("delta_attnres", null=True), batch_of(), TIMES[:1])
    last = found["softmax_source"].values[1]  # v_0, v_1 and the null source
    assert last.tolist()[:3] == [0, 1, -1]
    assert (found["softmax_weights"].values[0, 1, :3] > 0).all()


def test_a_routing_without_softmax_has_no_weights():
    assert softmax_weights(model_of("hyper"), batch_of(), TIMES) == {}
