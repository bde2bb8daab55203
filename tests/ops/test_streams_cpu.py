"""The native kernels of streams and of Sinkhorn's normalisation, against float64's definitions."""

import pytest
import torch

from darbench.ops.sinkhorn import sinkhorn
from darbench.ops.streams import (
    hyper_connection,
    manifold_maps,
    normed_product,
    read_streams,
    streams,
    write_streams,
)
from tests.ops.derivatives import draw, equal, gradients

B, T = 3, 5


@pytest.mark.parametrize("width", [16, 60, 384])
@pytest.mark.parametrize("count", [1, 2, 4, 5])
@pytest.mark.parametrize("lead", [(), (B, T)], ids=["static", "per token"])
def test_writing_and_reading_streams_equal_the_definition(lead, count, width):
    """There are two rounds, so that gradients add up along the trail."""

    def rounds(mix, x, weights, v, read):
        h, x = read_streams(read, streams(x))
        x = write_streams(mix, x, weights, v * h)
        h, x = read_streams(read, x)
        return write_streams(mix, x, weights, h).value + x.value.square()

    inputs = (
        draw(*lead, count, count),
        draw(B, T, count, width, seed=1),
        draw(*lead, count, seed=2),
        draw(B, T, width, seed=3),
        draw(*lead, count, seed=4),
    )
    equal(rounds, inputs, bound=1e-4)  # static weights: a sum of many terms that cancel


def test_streams_that_are_not_mixed_keep_their_identity():
    inputs = draw(B, T, 4, 16), draw(B, T, 4, seed=1), draw(B, T, 16, seed=2)
    equal(lambda x, w, v: write_streams(None, streams(x), w, v).value, inputs)


def test_copies_of_the_embedding_become_streams():
    inputs = draw(B, T, 16), draw(4, seed=1)

    def expanded(x, w):
        return read_streams(w, streams(x.unsqueeze(-2).expand(-1, -1, 4, -1)))[0]

    equal(expanded, inputs)


def test_a_product_with_the_normed_streams_equals_the_definition():
    def used_twice(x, first, second):
        a, seen = normed_product(streams(x), first, 1e-6)
        b, seen = normed_product(seen, second, 1e-6)
        return torch.cat([a, b.square(), seen.value.flatten(-2)], dim=-1)

    equal(used_twice, (draw(B, T, 4, 16), draw(64, 6, seed=1), draw(64, 3, seed=2)))


@pytest.mark.parametrize("lead", [(B, 1), (1, T), (1, 1)])
def test_weights_and_outputs_are_broadcast_as_by_the_definition(lead):
    def rounds(mix, x, weights, v, read):
        h, x = read_streams(read, streams(x))
        return write_streams(mix, x, weights, v + h.mean((0, 1))).value

    inputs = (
        draw(*lead, 4, 4),
        draw(B, T, 4, 16, seed=1),
        draw(*lead, 4, seed=2),
        draw(*lead, 16, seed=3),
        draw(*lead, 4, seed=4),
    )
    equal(rounds, inputs)


@pytest.mark.parametrize("shape", [(1, 1), (1, T), (B, 1), (B, T)])
def test_weights_that_are_repeated_in_memory_get_the_gradient_of_every_token(shape):
    w = draw(4).float().expand(*shape, 4).detach().requires_grad_()
    x = draw(*shape, 4, 16).float()
    h, _ = read_streams(w, streams(x))
    (found,) = torch.autograd.grad(h.sum(), w)
    torch.testing.assert_close(found, x.sum(-1))


def test_shapes_that_do_not_fit_are_refused():
    x, v, w = streams(draw(B, T, 4, 8).float()), draw(B, T, 8).float(), draw(B, T, 4, 6).float()
    good = draw(4, 6).float(), draw(6).float(), draw(8, 6).float()
    for bad in (
        (draw(3, 6).float(), *good[1:]),
        (good[0], draw(5).float(), good[2]),
        (*good[:2], draw(7, 6).float()),
        (*good[:2], draw(8, 5).float()),
    ):
        with pytest.raises((RuntimeError, ValueError), match=r"must|columns"):
            hyper_connection(x, (w, v), *bad, 1e-6)
    calls = [
        lambda: hyper_connection(x, (w[..., :5], v), *good, 1e-6),
        lambda: read_streams(draw(3).float(), x),
        lambda: write_streams(None, x, draw(4).float(), v[..., :7]),
        lambda: normed_product(x, draw(31, 3).float(), 1e-6),
        lambda: manifold_maps(v, draw(2).float(), draw(8).float(), 2),
        lambda: manifold_maps(v, draw(3).float(), draw(7).float(), 2),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="must match"):
            call()


def test_a_value_may_be_used_beside_its_readers():
    """Sums share one gradient tensor among their parts, and reductions expand theirs."""

    def loss(x, w, y):
        h, seen = read_streams(w, streams(x))
        k, seen = read_streams(2 * w, seen)
        rest = (seen.value + y).square().sum((-2, -1), keepdim=True).squeeze(-1)
        return h * k + rest

    equal(loss, (draw(B, T, 4, 16), draw(4, seed=1), draw(B, T, 4, 16, seed=2)))


def test_a_product_with_normed_zeros_is_zero_with_finite_gradients():
    zeros, matrix = torch.zeros(B, T, 4, 16), draw(64, 3).float()
    out, *found = gradients(
        lambda x, m: normed_product(streams(x), m, 1e-6)[0], (zeros, matrix), torch.float32
    )
    assert (out == 0).all() and all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("width", [16, 60, 384])
@pytest.mark.parametrize(("count", "mixing"), [(1, True), (2, True), (4, True), (5, False)])
@pytest.mark.parametrize("squash", [True, False])
def test_hyper_connections_equal_the_definition(squash, count, mixing, width):
    """Three, the first of streams that nothing was written to, and what is written after them."""
    columns = count + 2 if mixing else 2

    def connected(x, v, rest, size, product):
        given, first = streams(x), (rest[0], size[0], product[0])
        h, x, w = hyper_connection(given, None, *first, 1e-6, squash=squash)
        for site in (1, 2):
            now = rest[site], size[site], product[site]
            h, x, w = hyper_connection(x, (w, v * h), *now, 1e-6, squash=squash)
        mix = w[..., 1:-1].mT if mixing else None
        return write_streams(mix, x, w[..., -1], h).value + x.value.square()

    inputs = (
        draw(B, T, count, width),
        draw(B, T, width, seed=1),
        draw(3, count, columns, seed=2),
        draw(3, columns, seed=3),
        draw(3, width, columns, seed=4) / width**0.5,
    )
    equal(connected, inputs, bound=3e-5)


def test_gradients_of_streams_that_were_read_twice_are_not_written_over():
    """The backward writes to the gradient that goes down the trail, but to nobody else's."""
    x, w, v = (draw(*shape).float() for shape in ((B, T, 4, 16), (B, T, 4, 6), (B, T, 16)))
    x.requires_grad_()
    given = draw(4, 6).float(), draw(6).float(), draw(16, 6).float(), 1e-6

    def loss(trail_only):
        h, new, _ = hyper_connection(streams(x), (w, v), *given)
        first, seen = read_streams(torch.ones(4), new)
        again, _ = read_streams(torch.ones(4), seen if trail_only else new)
        return ((h + first + again) ** 2).sum() + (new.value**3).sum()

    one, two = (torch.autograd.grad(loss(trail_only), x)[0] for trail_only in (True, False))
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("count", "others"), [(1, 1), (2, 4), (4, 16), (5, 120)])
def test_the_maps_of_a_manifold_equal_the_definition(count, others):
    columns = 2 * count + others
    inputs = draw(B, T, columns), draw(3, seed=1), draw(columns, seed=2)
    equal(lambda *x: torch.cat(manifold_maps(*x, count), dim=-1), inputs)


def test_the_maps_of_a_manifold_are_sigmoids_of_their_own_columns():
    raw, bias = (
        torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]]),
        torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5]),
    )
    read, write, logits = manifold_maps(raw, torch.tensor([1.0, -1.0, 10.0]), bias, 2)
    torch.testing.assert_close(read[0, 0], 1 / (1 + torch.tensor([-1.1, -2.2]).exp()))
    torch.testing.assert_close(write[0, 0], 2 / (1 + torch.tensor([2.7, 3.6]).exp()))
    torch.testing.assert_close(logits[0, 0], torch.tensor([50.5]))


def test_a_hyper_connection_hands_a_nan_on():
    x, rest, size = draw(1, 2, 4, 16).float(), draw(4, 6).float(), torch.ones(6)
    x[0, 1, 2, 3] = torch.nan
    h, _, weights = hyper_connection(streams(x), None, rest, size, draw(16, 6).float(), 1e-6)
    assert h[0, 0].isfinite().all() and h[0, 1].isnan().all()
    assert weights[0, 1, 2].isnan().all() and weights[0, 1, 0].isfinite().all()


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.3, 0.625, 1.0, 5.0, 50.0])
def test_tanh_is_right_to_rounding_near_zero_and_far_from_it(size):
    """A stream of one number has an RMS of a quarter of it, and the product is of that number."""
    wanted = torch.linspace(-1, 1, 24).view(4, 6) * size
    product = torch.zeros(16, 6)
    product[:4] = wanted / 4
    given = streams(torch.eye(4, 16).expand(1, 1, 4, 16).contiguous())
    _, _, found = hyper_connection(given, None, torch.zeros(4, 6), torch.ones(6), product, 0.0)
    wanted = torch.tanh(wanted.double())
    torch.testing.assert_close(found[0, 0].double(), wanted, rtol=3e-7, atol=0)


def test_second_derivatives_of_native_kernels_are_refused_with_the_way_out():
    x = draw(1, 2, 2, 16).float().requires_grad_()
    h, _ = read_streams(torch.ones(2), streams(x))
    with pytest.raises(RuntimeError, match="first derivatives only; in float64"):
        torch.autograd.grad(h.square().sum(), x, create_graph=True)


@pytest.mark.parametrize(("n", "size"), [(1, 1.0), (2, 3.0), (4, 1.0), (4, 10.0), (5, 2.0)])
@pytest.mark.parametrize("count", [7, 300])
def test_sinkhorn_equals_the_definition(n, size, count):
    logits = size * draw(count, n, n)
    if n > 1:  # the gradient of a 1 x 1 matrix is but rounding
        equal(lambda x: sinkhorn(x, 20), (logits,))
    found, wanted = sinkhorn(logits.float(), 20).double(), sinkhorn(logits, 20)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_sinkhorn_of_far_apart_logits_is_that_of_the_definition():
    """The floor under the logits has no gradient."""
    equal(lambda x: sinkhorn(x, 5), (100 * draw(50, 4, 4),), bound=1e-4)


def written(mix, x, weights, v):
    return write_streams(mix, streams(x), weights, v).value


def connected(mix, x, weights, v):
    rest, size, product = torch.ones(4, 6), torch.ones(6), draw(64, 6, seed=5).float()
    old = torch.cat([weights.unsqueeze(-1), mix, weights.unsqueeze(-1)], dim=-1)
    h, new, now = hyper_connection(streams(x), (old, v), rest, size, product, 1e-6)
    return torch.cat([h, new.value.flatten(2), now.flatten(2)], dim=-1)


@pytest.mark.parametrize("function", ["write", "sinkhorn", "connection", "maps"])
def test_threads_do_not_change_a_bit(function):
    x = draw(8, 64, 4, 64).float()
    mix = draw(8, 64, 4, 4, seed=1).float()

    def act():
        if function == "maps":
            inputs = draw(8, 300, 24), draw(3, seed=1), draw(24, seed=2)
            return gradients(lambda *x: torch.cat(manifold_maps(*x, 4), -1), inputs, torch.float32)
        if function == "sinkhorn":
            return gradients(lambda m: sinkhorn(m, 20), (mix,), torch.float32)
        inputs = mix, x, draw(8, 64, 4, seed=2), draw(8, 64, 64, seed=3)
        form = connected if function == "connection" else written
        return gradients(form, inputs, torch.float32)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = act()
        torch.set_num_threads(2)
        two = act()
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, one, two))
