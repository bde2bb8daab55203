"""Products of large matrices, against the same in float64."""

import pytest
import torch

from darbench.ops.native import matmul as module
from darbench.ops.native.matmul import matmul
from tests.ops.derivatives import draw


def operands(rows, inner, columns, turned=""):
    """a, b and a bias in float32; the named factors lie column by column."""
    a, b, bias = draw(rows, inner), draw(inner, columns, seed=1), draw(columns, seed=2)
    a, b = (x.mT.contiguous().mT if name in turned else x for name, x in (("a", a), ("b", b)))
    return a.float(), b.float(), bias.float()


def close(found, a, b, bias):
    """As near as float32 rounds the sums, and no nearer than chance: 1e-6 of their length."""
    wanted = torch.addmm(bias.double(), a.double(), b.double())
    bound = 1e-6 * (a.double().abs() @ b.double().abs() + bias.double().abs())
    assert found.dtype == torch.float32 and ((found - wanted).abs() <= bound).all()


@pytest.fixture
def natively(monkeypatch):
    """The shapes of the products that were computed by the kernel."""
    called, over_batch = [], module.over_batch

    def recorded(kernel, arguments, *rest):
        called.append(tuple(arguments[-3:]))
        over_batch(kernel, arguments, *rest)

    monkeypatch.setattr(module, "over_batch", recorded)
    return called


wide = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="registers of 16 numbers"
)


@wide
@pytest.mark.parametrize("rows", [1, 7, 8, 15, 203])
@pytest.mark.parametrize("inner", [1, 16, 511, 1100])
@pytest.mark.parametrize("columns", [16, 32, 48, 112, 144])
def test_a_product_of_any_rows_and_inner_dimension_is_that_of_float64(
    natively, rows, inner, columns
):
    given = operands(rows, inner, columns)
    close(matmul(*given), *given)
    assert natively == [(rows, inner, columns)]


@wide
@pytest.mark.parametrize("turned", ["a", "b", "ab"])
@pytest.mark.parametrize("rows", [16, 208])
@pytest.mark.parametrize("inner", [16, 512, 1104])
@pytest.mark.parametrize("columns", [16, 64, 144])
def test_factors_that_lie_column_by_column_are_the_same(natively, turned, rows, inner, columns):
    given = operands(rows, inner, columns, turned)
    close(matmul(*given), *given)
    assert natively == [(rows, inner, columns)]


@wide
def test_rows_with_gaps_between_them_are_the_same_rows(natively):
    a, b, bias = operands(64, 96, 96)
    given = a[:, :80], b[:80, :64], bias[:64]
    close(matmul(*given), *given)
    assert natively == [(64, 80, 64)]


def test_without_a_bias_it_is_the_product_alone():
    a, b, bias = operands(40, 80, 64)
    close(matmul(a, b), a, b, torch.zeros_like(bias))


@wide
@pytest.mark.parametrize("turned", ["", "b"])
def test_a_row_is_the_same_to_the_bit_whatever_the_other_rows_and_threads_are(turned):
    a, b, bias = operands(403, 560, 112, turned)
    whole = matmul(a, b, bias)
    for rows in (slice(0, 1), slice(5, 211), slice(400, 403)):
        assert torch.equal(matmul(a[rows], b, bias), whole[rows])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(matmul(a, b, bias), whole)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_number_that_is_none_is_seen_in_its_row_and_in_no_other(bad):
    a, b, bias = operands(33, 48, 64)
    a[9, 20] = bad
    found = matmul(a, b, bias)
    assert not found[9].isfinite().any()
    assert found[:9].isfinite().all() and found[10:].isfinite().all()


@pytest.mark.parametrize(
    ("turned", "rows", "inner", "columns"),
    [("", 8, 16, 20), ("a", 20, 16, 16), ("b", 8, 20, 16), ("", 0, 16, 16), ("", 8, 0, 16)],
)
def test_parts_of_vectors_and_empty_factors_are_left_to_torch(
    natively, turned, rows, inner, columns
):
    given = operands(rows, inner, columns, turned)
    close(matmul(*given), *given)
    assert not natively


def test_narrower_registers_are_left_to_torch(natively, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    given = operands(64, 64, 64)
    close(matmul(*given), *given)
    assert not natively
