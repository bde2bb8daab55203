import pytest

from darbench.metrics.cost.overhead import block_flops, overhead
from darbench.registry import ROUTINGS


def test_overheads_are_the_papers_parameter_counts():
    dar = ROUTINGS.get("dar")
    assert overhead(dar, {"query": "static"}, "XL/2").parameters == 131_328
    assert overhead(dar, {"query": "dynamic"}, "XL/2").parameters == 75_710_592
    assert overhead(ROUTINGS.get("denseformer"), {}, "S/2").parameters == 90


def test_flops_of_the_blocks_are_those_of_the_published_sizes():
    assert block_flops(12, 384) == pytest.approx(47.2e6 * 256, rel=1e-3)
    assert block_flops(28, 1152) == pytest.approx(924.8e6 * 256, rel=1e-3)


def test_overhead_counts_matrix_products_and_the_formula():
    """Dynamic DAR's queries are 2 D^2 for each of 57 readers and token, beside its reads."""
    dar = ROUTINGS.get("dar")
    params = {"query": "dynamic", "history": "full"}
    found = overhead(dar, params, "XL/2").flops * block_flops(28, 1152)
    reads = 4 * sum(range(1, 58)) + 2 * 57 - 56
    assert found == pytest.approx(256 * (57 * 2 * 1152**2 + reads * 1152), rel=1e-9)
