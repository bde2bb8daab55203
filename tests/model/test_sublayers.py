"""A block hands its modulations to its sublayers; what those compute is tested with the ops."""

import pytest
import torch
from torch import nn

from darbench.model.sublayers import GATES, Block, modulations
from darbench.ops.sublayers import definition


@pytest.mark.parametrize(
    ("gate", "form"),
    [("adaln", lambda g: g), ("one_plus", lambda g: 1 + g), ("none", lambda _: 1)],
)
def test_a_block_hands_out_shift_scale_gate_of_attention_then_of_the_mlp(gate, form):
    blocks = [Block(width=8, heads=2, hidden=16, gate=gate).double() for _ in range(2)]
    assert set(GATES) == {"adaln", "one_plus", "none"}
    c, h = torch.randn(2, 8, dtype=torch.float64), torch.randn(2, 3, 8, dtype=torch.float64)
    for block, own in zip(blocks, modulations(blocks, c), strict=True):
        linear = block.adaLN_modulation[1]
        six = (nn.functional.silu(c) @ linear.weight.T + linear.bias).view(2, 6, 1, 8).unbind(1)
        (attn, first), (mlp, second) = block.sublayers(own)
        assert (attn, mlp) == (block.attn, block.mlp)
        wanted = definition.attention(h, (*six[:2], form(six[2])), attn.qkv, attn.proj, heads=2)
        torch.testing.assert_close(attn(h, *first), wanted, rtol=1e-12, atol=1e-13)
        wanted = definition.mlp(h, (*six[3:5], form(six[5])), mlp.fc1, mlp.fc2)
        torch.testing.assert_close(mlp(h, *second), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("gate", GATES)
def test_under_autocast_modulations_and_sublayers_are_float32(gate):
    """A residual stream that was rounded at every site would lose small updates."""
    block, h, c = Block(16, 4, 64, gate), torch.randn(2, 3, 16), torch.randn(2, 16)
    with torch.autocast("cpu", torch.bfloat16):
        (own,) = modulations([block], c)
        for sublayer, modulation in block.sublayers(own):
            assert all(m.dtype == torch.float32 for m in modulation)
            assert sublayer(h, *modulation).dtype == torch.float32
