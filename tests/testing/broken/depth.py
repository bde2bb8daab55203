"""Mistakes of which outputs are read, and of sizes written into the code."""

import torch
from torch import nn

from tests.testing.healthy import Attentive, Scaled

SPAN = 3


class UndeclaredWindow(Attentive):
    """A window over the last outputs, while sources says everything."""

    caught_by, says = "declared_sources", "does not depend on v_i of i = [1]"

    def write(self, state, site, v):
        grown = super().write(state, site, v)
        return grown._replace(
            values=(grown.values[0], *grown.values[1:][-SPAN:]),
            keys=(grown.keys[0], *grown.keys[1:][-SPAN:]),
        )


class WindowOffByOne(Attentive):
    """A window of one output more than it declares."""

    caught_by, says = "declared_sources", "also depends on v_i of i = [0]"

    def write(self, state, site, v):
        grown = super().write(state, site, v)
        return grown._replace(values=grown.values[-SPAN - 1 :], keys=grown.keys[-SPAN - 1 :])

    def sources(self, site):
        return set(range(max(0, site + 1 - SPAN), site + 1))


class SourcesOneAhead(Scaled):
    """sources counted as if site i had already written."""

    caught_by, says = "declared_sources", "only v_0 .. v_0 exist there"

    def sources(self, site):
        return set(range(site + 2))


class NoGradient(Attentive):
    """A read of detached values: nothing before it would learn through it."""

    caught_by, says = "declared_sources", "does not depend on v_i of i = [0]"

    def mix(self, alpha, values, site):
        return super().mix(alpha.detach(), [v.detach() for v in values], site)


class FixedDepth(Scaled):
    """A fixed number of parameters, that of one model's sites."""

    caught_by, says = "any_size", "at depth 12 (24 sites) and width 16"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.a = nn.Parameter(torch.ones(8))


class FixedWidth(Scaled):
    """A scale per channel, for the number of channels at hand."""

    caught_by, says = "any_size", "at depth 4 (8 sites) and width 32"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.a = nn.Parameter(torch.ones(sites, 16))
