"""The patch embedding as a linear, against the convolution in float64."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from darbench.ops.patches import embed_patches


@pytest.mark.parametrize(("channels", "side", "patch"), [(1, 8, 2), (3, 12, 4), (4, 6, 1)])
def test_tokens_and_gradients_are_those_of_the_convolution(channels, side, patch):
    generator = torch.Generator().manual_seed(0)
    shapes = (2, channels, side, side), (5, channels, patch, patch), (5,)
    given = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]

    def tokens_and_gradients(function, dtype):
        leaves = [x.to(dtype).requires_grad_() for x in given]
        tokens = function(*leaves)
        return [tokens, *torch.autograd.grad(tokens.square().sum(), leaves)]

    def convolution(x, weight, bias):
        return functional.conv2d(x, weight, bias, stride=patch).flatten(2).mT

    def embedded(x, weight, bias):
        proj = nn.utils.skip_init(nn.Conv2d, channels, 5, patch, stride=patch)
        proj._parameters |= {"weight": weight, "bias": bias}
        return embed_patches(x, proj)

    wanted = tokens_and_gradients(convolution, torch.float64)
    for dtype, bound in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        for a, b in zip(tokens_and_gradients(embedded, dtype), wanted, strict=True):
            assert a.shape == b.shape and (a.double() - b).norm() <= bound * b.norm()
