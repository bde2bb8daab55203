"""Routing matrices in closed form."""

import pytest
import torch

from darbench.diagnose.batch import random_signs
from darbench.diagnose.matrix import routing_matrix
from darbench.diagnose.record import outputs_of, replay
from tests.diagnose.models import SITES, TIMES, TOKENS, WIDTH, batch_of, model_of

SIGNS = random_signs(2, 2, TOKENS, WIDTH)


def matrix_of(model, signs=SIGNS, dtype=torch.float64):
    """The matrix and its error, once each is found to have the right form."""
    found = routing_matrix(model, batch_of(len(signs[0]), dtype), TIMES, signs)["routing_matrix"]
    assert found.axes == ("t", "i", "j") and found.unit == "1"
    assert found.values.shape == found.error.shape == (len(TIMES), SITES + 1, SITES + 1)
    return torch.from_numpy(found.values), torch.from_numpy(found.error)


def at_all_times(matrix):
    return matrix.expand(len(TIMES), -1, -1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_add_it_is_exactly_one_for_what_was_written_and_zero_above(dtype):
    matrix, error = matrix_of(model_of("add", dtype), dtype=dtype)
    ones = torch.ones(SITES + 1, SITES + 1, dtype=torch.float64)
    assert torch.equal(matrix, at_all_times(ones.tril()))
    assert not error.any()


def denseformer(alpha: list[torch.Tensor], sites: int) -> torch.Tensor:
    """Coefficients of every v_j in every read, from the paper's recursion over blocks."""
    unit = torch.eye(sites + 1, dtype=torch.float64)
    stream, blocks, rows = unit[0], [unit[0]], [unit[0]]
    for site in range(sites):
        stream = stream + unit[site + 1]
        if site % 2:
            blocks.append(stream)
            stream = sum(a * x for a, x in zip(alpha[site // 2], blocks, strict=True))
        rows.append(stream)
    return torch.stack(rows)


def test_of_denseformer_it_is_the_sum_over_paths_of_their_weights_products():
    model = model_of("denseformer")
    alpha = model.routing.alpha.split(model.routing.rows)
    matrix, error = matrix_of(model)
    wanted = at_all_times(denseformer(alpha, SITES))
    torch.testing.assert_close(matrix, wanted, rtol=1e-12, atol=1e-13)
    assert error.max() < 1e-12


def test_a_read_of_one_source_is_the_identity():
    for params in ({"query": "static"}, {"query": "dynamic", "history": "full"}):
        matrix, _ = matrix_of(model_of("dar", **params))
        torch.testing.assert_close(matrix[:, 0, 0], torch.ones(len(TIMES)).double())
        assert not matrix[:, 0, 1:].any()


def test_of_hyper_connections_it_is_the_product_of_their_matrices():
    """h_i = A_m(i)^T A_r(i - 1)^T .. A_r(j)^T B(j - 1) v_j, all streams v_0 at first."""
    model = model_of("hyper", dynamic=False, streams=3)
    read, mix, write = (
        getattr(model.routing, name) for name in ("read_weight", "mix_weight", "write_weight")
    )
    read = [*read, torch.ones(3).double()]  # the head reads the sum
    wanted = torch.zeros(SITES + 1, SITES + 1, dtype=torch.float64)
    for j in range(SITES + 1):
        stream = write[j - 1] if j else torch.ones(3).double()
        for i in range(j, SITES + 1):
            wanted[i, j] = read[i] @ stream
            stream = mix[i].T @ stream if i < SITES else stream
    matrix, error = matrix_of(model)
    torch.testing.assert_close(matrix, at_all_times(wanted), rtol=1e-11, atol=1e-12)
    assert error.max() < 1e-12


def test_of_a_long_skip_it_is_the_mean_diagonal_within_its_error():
    """A dense W has noise, which signs take away as their root; W = [W_s | W_o] on [s; o_m]."""
    model = model_of("unet")
    (w,) = model.routing.w
    matrix, error = matrix_of(model, random_signs(20, 8, TOKENS, WIDTH))
    part = w[:, :WIDTH].diagonal().mean(), w[:, WIDTH:].diagonal().mean()
    wanted = [sum(part)] * 3 + [part[0]] * 4 + [1.0] * 2  # the last block has block 0 for partner
    assert 0 < error[:, -1].max() < 0.05
    off = (matrix[:, -1] - torch.tensor(wanted)).abs()
    assert (off <= 4 * error[:, -1] + 1e-12).all()


def test_it_has_no_noise_over_time_where_a_routing_knows_none():
    matrix, _ = matrix_of(model_of("unet"))
    torch.testing.assert_close(matrix, at_all_times(matrix[0]), rtol=1e-12, atol=1e-12)


def test_rows_that_are_not_wanted_are_not_there_and_leave_the_others_as_they_are():
    model, batch = model_of("hyper"), batch_of()
    all_rows, some = (
        routing_matrix(model, batch, TIMES, SIGNS, sites)["routing_matrix"].values
        for sites in (None, range(SITES, -1, -3))
    )
    there = [2, 5, 8]
    assert (some[:, there] == all_rows[:, there]).all()
    assert torch.from_numpy(some).isnan().all(2).sum() == len(TIMES) * (SITES + 1 - len(there))


def test_of_a_softmax_read_it_is_the_mean_diagonal_of_its_jacobian_within_its_error():
    model, batch = model_of("attnres"), batch_of(8)
    found = routing_matrix(model, batch, TIMES[:1], random_signs(8, 8, TOKENS, WIDTH))
    matrix = found["routing_matrix"]
    off = abs(matrix.values[0] - exact(model, batch, TIMES[:1]).numpy())
    assert (off <= 4 * matrix.error[0] + 1e-12).all() and off.max() > 1e-6


def exact(model, batch, times):
    """The diagonal of every dh_i / dv_j by as many derivatives as there are channels."""
    leaves, reads = replay(outputs_of(model, *batch.points(times)))
    rows = []
    for h in reads:
        row = torch.zeros(len(leaves), dtype=torch.float64)
        for channel in range(WIDTH):  # tokens and samples do not mix in a read
            found = torch.autograd.grad(
                h[..., channel].sum(), leaves, retain_graph=True, allow_unused=True
            )
            row += torch.stack(
                [0 * h.sum() if g is None else g[..., channel].mean() for g in found]
            )
        rows.append(row / WIDTH)
    return torch.stack(rows).detach()
