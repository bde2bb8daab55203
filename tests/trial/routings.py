"""Routings of a user's, with state or chance of their own, for trials of the tests."""

import torch
from torch import nn

from darbench.registry import ROUTINGS
from darbench.routing.add import Add
from tests.trial.runs import begin

SEEN = 0  # for a routing of another module to count in


class BnRead(Add):
    """BatchNorm on what a sublayer reads, written as a user would."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, eps=1e-12) for _ in range(sites))

    def read(self, state, site):
        if site == self.sites:
            return state
        return self.norms[site](state.flatten(0, 1)).view_as(state)


class DropPath(Add):
    """Stochastic depth in training."""

    def write(self, state, site, v):
        if self.training:
            v = v * (torch.rand(v.shape[0], 1, 1, device=v.device) > 0.3) / 0.7
        return state + v


def begin_own(monkeypatch, cls, **changes):
    """Begin a trial of this class, which is registered for the test alone."""
    ROUTINGS.names()
    monkeypatch.setitem(ROUTINGS._made, cls.__name__, cls)
    return begin(cls.__name__, **changes)
