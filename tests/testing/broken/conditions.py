"""Mistakes over the batch, over the conditions, and chance where there must be none."""

import torch
from torch import nn

from tests.testing.healthy import Attentive, Scaled


class SoftmaxOverTheBatch(Attentive):
    """A softmax over the wrong axis."""

    caught_by, says = "samples_are_independent", "differs from the same sample alone"

    def weights(self, logits):
        return torch.softmax(logits, dim=1).unsqueeze(-1)


class TimeOverTokens(Attentive):
    """A timestep query (B, D) broadcast over tokens instead of samples."""

    caught_by, says = "samples_are_independent", "cond.t.unsqueeze(1)"

    def logits(self, state, site):
        return torch.stack([(state.queries[site] * key).sum(-1) for key in state.keys])


class TimePooled(Attentive):
    """The timestep embedding averaged over the batch."""

    caught_by, says = "samples_are_independent", "sample 0 differs"

    def queries(self, cond):
        return super().queries(cond._replace(t=cond.t.mean(0).expand_as(cond.t)))


class DropoutAtEvaluation(Scaled):
    """Dropout that never stops."""

    caught_by, says = "no_randomness_at_evaluation", "differs between two passes"

    def write(self, state, site, v):
        return super().write(state, site, nn.functional.dropout(v, 0.1))


class RandomStream(Scaled):
    """A read stream drawn in every pass, though nothing comes of it here."""

    caught_by, says = "no_randomness_at_evaluation", "draws from the global generator of torch"

    def begin(self, x, cond):
        stream = torch.randint(4, ())
        return x + 0 * stream


class UndeclaredTime(Attentive):
    """Queries made from the timestep, undeclared."""

    caught_by, says = "declared_conditions", "changes with the time"
    conditioned_on = frozenset()


class IgnoredTime(Scaled):
    """Declared to follow the timestep, and does not."""

    caught_by, says = "declared_conditions", "names the time, but no read changes with it"
    conditioned_on = frozenset({"time"})


class LabelThroughTheSum(Attentive):
    """cond.c instead of cond.t: the label comes in unseen."""

    caught_by, says = "declared_conditions", "changes with the label"

    def queries(self, cond):
        return self.w.unsqueeze(1) + cond.c @ self.w_t
