"""The cost of a routing is counted on tensors without content."""

import torch

from darbench.routing.add import Add
from darbench.testing import check_routing


class Branching(Add):
    def write(self, state, site, v):
        if self.training and torch.rand(()) < 0.3:
            return state
        return state + v


def test_stochastic_depth_as_a_branch_is_told_to_be_a_mask():
    """A trial counts the FLOPs of a pass in training, where what is drawn has no value."""
    (result,) = check_routing(Branching, only=["flops_formula"])
    assert not result.passed and "FLOPs are counted on tensors without content" in result.message
    assert "use a mask, such as v * (torch.rand(" in result.message
