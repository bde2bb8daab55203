"""Mistakes that show only in small, large or rounded numbers."""

import math

import torch
from torch import nn

from tests.testing.healthy import Attentive


class NormalisedKeys(Attentive):
    """Keys by F.normalize: a gradient of 1e12 at every output that is still zero."""

    caught_by, says = "finite_at_zero_outputs", "no F.normalize"

    def key(self, v):
        return math.sqrt(self.width) * nn.functional.normalize(v, dim=-1)


class KeysWithoutEps(Attentive):
    """Keys over a bare norm: 0 / 0 at every output that is still zero."""

    caught_by, says = "finite_at_zero_outputs", "is not finite while all v_i but v_0 are zero"

    def key(self, v):
        return math.sqrt(self.width) * v / v.norm(dim=-1, keepdim=True)


class HalfPrecisionKeys(Attentive):
    """Logits of un-normed keys in float16, which ends at 65504."""

    caught_by, says = "finite_at_large_outputs", "no float16"

    def key(self, v):
        return v.half() * v.half().square().mean(-1, keepdim=True)


class BareExponential(Attentive):
    """A softmax by hand, without taking the largest logit away first."""

    caught_by, says = "finite_at_large_outputs", "softmax from torch"

    def key(self, v):
        return v

    def weights(self, logits):
        e = torch.exp(logits).unsqueeze(-1)
        return e / e.sum(0)


class EpsOfTheDtype(Attentive):
    """A key norm in bfloat16 with that dtype's eps, 0.0078."""

    caught_by, says = "bfloat16_is_close", "% off under bfloat16 autocast"

    def key(self, v):
        low = v.bfloat16() if torch.is_autocast_enabled("cpu") else v
        eps = torch.finfo(low.dtype).eps
        return 4 * low * torch.rsqrt(low.square().mean(-1, keepdim=True) + eps)
