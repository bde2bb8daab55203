"""Mistakes of the initial values, of what learns, and of recomputation."""

import torch
from torch import nn

from tests.testing.healthy import Attentive, Scaled


class ZeroOverZero(Scaled):
    """The stream over the size of all outputs, which is zero in a fresh model."""

    caught_by, says = "fresh_model_is_zero", "the model's first output is not zero"

    def begin(self, x, cond):
        return x, torch.zeros_like(x[..., :1])

    def read(self, state, site):
        stream, size = state
        return stream if site == 0 else stream / size

    def write(self, state, site, v):
        stream, size = state
        return stream + self.a[site] * v, size + v.abs().mean(-1, keepdim=True)


class WithoutTheEmbedding(Scaled):
    """Only the latest output is read: in a fresh model, nothing."""

    caught_by, says = "fresh_model_is_zero", "the head never learns"
    equals_add = "no"

    def write(self, state, site, v):
        return self.a[site] * v

    def sources(self, site):
        return {site}


class SmallInit(Attentive):
    """Queries that start small instead of zero, declared equal to add."""

    caught_by, says = "declared_equality_to_add", "equals_add is 'strong', measured 'weak'"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        nn.init.normal_(self.w, std=0.02)


class NormedValues(Attentive):
    """The values normed, not only the keys; on a fresh model it would pass for add."""

    caught_by, says = "declared_equality_to_add", "equals_add is 'strong', measured 'weak'"

    def mix(self, alpha, values, site):
        return super().mix(alpha, [self.key(v) for v in values], site)


class EqualityNotDeclared(Scaled):
    """Equal to add, and not said to be."""

    caught_by, says = "declared_equality_to_add", "return 'strong'"
    equals_add = "no"


class NeverUsed(Scaled):
    """A parameter that no verb uses."""

    caught_by, says = "every_parameter_matters", "no gradient ever reaches spare"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.spare = nn.Parameter(torch.ones(width))


class Detached(Scaled):
    """A parameter that is used, cut off from the gradient."""

    caught_by, says = "every_parameter_matters", "no gradient ever reaches a"

    def write(self, state, site, v):
        return state + self.a[site].detach() * v


class HeadWithoutItsRow(Attentive):
    """The head reads with the last sublayer's query; its own is never used."""

    caught_by, says = "every_parameter_matters", "no read depends on w[8]"

    def read(self, state, site):
        alpha = self.weights(self.logits(state, min(site, self.sites - 1)))
        return self.mix(alpha, state.values, site)


class Deadlock(Scaled):
    """ReZero's zero on adaLN's zero gate: each gradient is a multiple of the other factor."""

    caught_by, says = "gradients_open", "two factors that both start at zero"
    equals_add = "weak"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        nn.init.zeros_(self.a)


class BothFactorsZero(Scaled):
    """A low-rank correction whose two matrices are both zero at first."""

    caught_by, says = "gradients_open", "routing.down, routing.up"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.down = nn.Parameter(torch.zeros(sites, width, 2))
        self.up = nn.Parameter(torch.zeros(sites, 2, width))

    def write(self, state, site, v):
        return super().write(state, site, v + v @ self.down[site] @ self.up[site])


class OwnGenerator(Scaled):
    """Noise from a generator of its own, which recomputation does not rewind."""

    caught_by, says = "checkpointed_gradients", "changes when reads are recomputed"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.generator = torch.Generator().manual_seed(0)

    def read(self, state, site):
        noise = torch.rand(state.shape, generator=self.generator, dtype=state.dtype)
        return state * noise
