import pytest

from darbench.errors import BadInput
from darbench.model.sizes import SIZES, resolve
from darbench.records.settings import Model


@pytest.mark.parametrize(
    ("size", "depth", "width", "heads"),
    [("S", 12, 384, 6), ("B", 12, 768, 12), ("L", 24, 1024, 16), ("XL", 28, 1152, 16)],
)
def test_sizes_are_the_papers(size, depth, width, heads):
    full = resolve(Model(size=size))
    assert (full.depth, full.width, full.heads) == (depth, width, heads)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_resolves_and_resolving_again_changes_nothing(size):
    full = resolve(Model(size=size))
    assert resolve(full) == full


def test_what_is_given_is_kept():
    full = resolve(Model(size="nano", depth=3, width=64, patch=4, mlp_ratio=2.0))
    assert (full.depth, full.width, full.heads) == (3, 64, SIZES["nano"][2])
    assert (full.patch, full.mlp_ratio) == (4, 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "XLL"}, "unknown model size 'XLL'; did you mean XL"),
        ({"width": 30, "heads": 2}, "model.width=30: must be a multiple of 4"),
        ({"width": 32, "heads": 5}, "model.heads=5"),
        ({"depth": 0}, "must be at least 1"),
        ({"patch": 0}, "must be at least 1"),
        ({"heads": 0}, "must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(BadInput, match=message):
        resolve(Model(**changes))
