"""Mistakes of the formula that a trial's budget is counted with."""

from tests.testing.healthy import Attentive, Scaled


class NoFormula(Attentive):
    """No formula at all; the message offers one."""

    caught_by, says = "flops_per_token", "counted for 8 sites: 25.9"

    def elementwise_flops(self, tokens):
        raise NotImplementedError


class TokensForgotten(Scaled):
    """A formula for one token."""

    caught_by, says = "flops_per_token", "multiply by tokens"

    def elementwise_flops(self, tokens):
        return 2 * self.sites * self.width


class FractionalFlops(Scaled):
    """A formula with a division in it."""

    caught_by, says = "flops_per_token", "a non-negative int"

    def elementwise_flops(self, tokens):
        return 4 * self.sites * tokens * self.width / 2


class HalfTheReads(Attentive):
    """A formula that counts a multiply-add as one."""

    caught_by, says = "flops_formula", "were counted"

    def elementwise_flops(self, tokens):
        return super().elementwise_flops(tokens) // 2


class ProductsCountedTwice(Attentive):
    """A formula with the matrix products, which FlopCounterMode counts as well."""

    caught_by, says = "flops_formula", "it includes the matrix products"

    def key(self, v):
        return super().key(v) @ self.w_t

    def elementwise_flops(self, tokens):
        products = 2 * (self.sites + 1) * tokens * self.width**2
        return super().elementwise_flops(tokens) + products
