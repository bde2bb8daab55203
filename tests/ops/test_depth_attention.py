import math

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from darbench.ops.depth_attention import depth_attention, source
from darbench.ops.norm import inverse_rms
from tests.ops.depth import queries

SHAPES = [(1, 1, 1, 4), (2, 3, 5, 16), (1, 63, 7, 60), (3, 2, 18, 8)]  # batch, tokens, sources, D


def sources(batch, tokens, count, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(count)
    shape = (count, batch, tokens, width)
    v = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return [x.clone().requires_grad_() for x in v]


def attend(query, values, eps=1e-6):
    scale = 1 / math.sqrt(values[0].shape[-1])
    return depth_attention(query, [source(v, eps) for v in values], scale)[0]


def oracle(query, values, eps=1e-6):
    """Read by torch's attention, one query per token, with its default scale 1 / sqrt(D)."""
    v = torch.stack(values, dim=2)  # (B, T, J, D)
    keys = v / (v.square().mean(-1, keepdim=True) + eps).sqrt()
    q = query.expand_as(values[0]).unsqueeze(2)
    return scaled_dot_product_attention(q, keys, v).squeeze(2)


@pytest.mark.parametrize("form", ["one", "per sample", "per token"])
@pytest.mark.parametrize("shape", SHAPES)
def test_output_and_every_gradient_equal_torchs_attention(shape, form):
    values, query = sources(*shape), queries(shape[0], shape[1], shape[3], form)
    weight = torch.randn_like(values[0])
    found, wanted = attend(query, values), oracle(query, values)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    leaves = (query, *values)
    for a, b in zip(
        torch.autograd.grad((found * weight).sum(), leaves),
        torch.autograd.grad((wanted * weight).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)


def test_gradients_are_right_with_a_source_that_is_exactly_zero():
    values, query = sources(1, 2, 3, 4), queries(1, 2, 4, "per token")
    with torch.no_grad():
        values[1].zero_()
    assert torch.autograd.gradcheck(lambda q, *v: attend(q, v, eps=1e-2), (query, *values))


def test_one_source_is_returned_as_it_is():
    (v,) = sources(2, 3, 1, 8)
    torch.testing.assert_close(attend(queries(2, 3, 8, "one"), [v]), v, rtol=1e-15, atol=0)


def test_a_zero_query_gives_the_mean():
    values = sources(2, 3, 5, 8)
    mean = torch.stack(values).mean(0)
    zero = torch.zeros(8, dtype=torch.float64)
    torch.testing.assert_close(attend(zero, values), mean, rtol=1e-14, atol=1e-14)


def test_the_order_of_the_sources_does_not_matter():
    values, query = sources(2, 3, 5, 8), queries(2, 3, 8, "per token")
    back = values[::-1]
    torch.testing.assert_close(attend(query, values), attend(query, back), rtol=1e-13, atol=1e-14)


def test_keys_ignore_the_size_of_a_source_and_values_do_not():
    values, query = sources(2, 3, 2, 8), queries(2, 3, 8, "one")
    with torch.no_grad():  # alpha_i is the derivative of h along a value that is not in a key
        near = [values[0], values[1] * 1e3]
        alpha = (attend(query, near, eps=0) - attend(query, values, eps=0)) / (999 * values[1])
    torch.testing.assert_close(alpha, alpha[..., :1].expand_as(alpha), rtol=1e-9, atol=0)
    assert 0 < alpha.min() < alpha.max() < 1


def test_the_softmax_is_over_sources_token_by_token():
    values, query = sources(2, 3, 4, 8), queries(2, 3, 8, "one")
    before = attend(query, values)
    with torch.no_grad():
        values[2][1, 2] += 1
    changed = (attend(query, values) != before).any(-1)
    assert changed.tolist() == [[False] * 3, [False, False, True]]


def test_inverse_rms_is_that_of_torchs_norm_and_of_a_zero_vector_is_finite():
    v = torch.randn(2, 3, 8, dtype=torch.float64)
    normed = torch.nn.functional.rms_norm(v, (8,), eps=1e-6)
    torch.testing.assert_close(v * inverse_rms(v).unsqueeze(-1), normed, rtol=1e-14, atol=1e-14)
    assert inverse_rms(torch.zeros(1, 8, dtype=torch.float64)).item() == pytest.approx(1e3)


@pytest.mark.parametrize("query_dtype", [torch.float32, torch.bfloat16])
def test_low_precision_values_have_logits_and_softmax_in_float32(query_dtype):
    """Two constant sources have one key. But q v_1 lies between two bfloat16 numbers: rounding
    every product would take 0.23 off its logit."""
    width, x = 4096, 1 + 2**-4
    query = torch.full((width,), x, dtype=query_dtype)
    values = [torch.full((1, 1, width), size, dtype=torch.bfloat16) for size in (1, 64 * x)]
    mean = torch.full_like(values[0], (1 + 64 * x) / 2)
    torch.testing.assert_close(attend(query, values), mean, rtol=2**-8, atol=0)


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.bfloat16), (torch.bfloat16,) * 2])
def test_sources_of_mixed_precision_are_close_to_float64(dtypes):
    values = [v.detach().to(dtypes[i > 0]) for i, v in enumerate(sources(2, 3, 5, 16))]
    query = queries(2, 3, 16, "one").detach().to(torch.bfloat16)
    found = attend(query, values)
    wanted = oracle(query.double(), [v.double() for v in values])
    assert found.dtype == dtypes[0]
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-2)
