import pytest

from darbench.commands.describe import describe
from darbench.errors import BadInput


def test_describe_tells_of_every_kind():
    assert "softmax_i(q_l . k_i / sqrt(D))" in describe("dar")
    assert "ranked by validation loss" in describe("digits-nano")
    assert "routing: denseformer" in describe("dar_forms")
    with pytest.raises(BadInput, match="did you mean dar"):
        describe("darr")
