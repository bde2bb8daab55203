"""Mistakes of reading twice, or by another verb."""

import torch

from tests.testing.healthy import Attentive, Scaled


class ForgottenTake(Attentive):
    """A read that was made sharper, and a take that was not."""

    caught_by, says = "take_equals_read", "take and read of one state differ for site 1"

    def read(self, state, site):
        return self.mix(self.weights(4 * self.logits(state, site)), state.values, site)

    def take(self, state, site):
        return self.mix(self.weights(self.logits(state, site)), state.values, site), state


class HandsOnItsKeys(Attentive):
    """A take whose state has the normed outputs in place of the outputs."""

    caught_by, says = "order_of_reads", "is another one if that site has read already"

    def take(self, state, site):
        h = self.mix(self.weights(self.logits(state, site)), state.values, site)
        return h, state._replace(values=state.keys)


class CountsReaders(Scaled):
    """A take that halves what is written next: the stream depends on who has looked at it."""

    caught_by, says = "order_of_reads", "is another one if no site before it has read"

    def begin(self, x, cond):
        return x, torch.ones_like(x[..., :1])

    def take(self, state, site):
        return state[0], (state[0], state[1] / 2)

    def write(self, state, site, v):
        return state[0] + self.a[site] * state[1] * v, torch.ones_like(v[..., :1])


class _AddUp(torch.autograd.Function):
    """x, whose gradients add up in `total`."""

    @staticmethod
    def forward(ctx, x, total):
        ctx.total = total
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.total += grad
        return ctx.total, None


class SharedGradient(Scaled):
    """A backward that adds to a tensor in the state: right for one read, counted twice for two."""

    caught_by, says = "repeated_gradients", "changes when a state is read four times"

    def begin(self, x, cond):
        return x, torch.zeros_like(x)

    def read(self, state, site):
        return _AddUp.apply(*state)

    def write(self, state, site, v):
        return state[0] + self.a[site] * v, torch.zeros_like(v)
