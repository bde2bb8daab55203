"""The pieces of a block, against their definitions."""

import math

import pytest
import torch
from torch import nn

from darbench.model.sublayers import GATES, Attention, Block, Mlp, modulate


def test_attention_is_that_of_the_formula():
    attention = Attention(width=12, heads=3).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    heads = []
    for part in zip(q.chunk(3, -1), k.chunk(3, -1), v.chunk(3, -1), strict=True):
        weight = (part[0] @ part[1].mT / 2).softmax(-1)
        heads.append(weight @ part[2])
    wanted = attention.proj(torch.cat(heads, -1))
    torch.testing.assert_close(attention.op(x), wanted, rtol=1e-12, atol=1e-13)


def test_mlp_has_the_tanh_form_of_gelu():
    mlp = Mlp(width=8, hidden=20).double()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    a = mlp.fc1(x)
    gelu = a / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))
    torch.testing.assert_close(mlp.op(x), mlp.fc2(gelu), rtol=1e-12, atol=1e-13)


def test_modulation_shifts_and_scales_a_plain_layer_norm():
    h, shift, scale = torch.randn(3, 2, 5, 8, dtype=torch.float64)
    shift, scale = shift[:, :1], scale[:, :1]
    centred = h - h.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    wanted = normed * (1 + scale) + shift
    torch.testing.assert_close(modulate(h, shift, scale), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("gate", "form"),
    [("adaln", lambda g: g), ("one_plus", lambda g: 1 + g), ("none", lambda _: 1)],
)
def test_a_block_hands_out_shift_scale_gate_of_attention_then_of_the_mlp(gate, form):
    block = Block(width=8, heads=2, mlp_ratio=2.0, gate=gate).double()
    assert set(GATES) == {"adaln", "one_plus", "none"}
    c, h = torch.randn(2, 8, dtype=torch.float64), torch.randn(2, 3, 8, dtype=torch.float64)
    linear = block.adaLN_modulation[1]
    six = (nn.functional.silu(c) @ linear.weight.T + linear.bias).view(2, 6, 1, 8).unbind(1)
    (attn, first), (mlp, second) = block.sublayers(c)
    assert (attn, mlp) == (block.attn, block.mlp)
    for sublayer, bound, (shift, scale, raw) in ((attn, first, six[:3]), (mlp, second, six[3:])):
        wanted = form(raw) * sublayer.op(modulate(h, shift, scale))
        torch.testing.assert_close(sublayer(h, *bound), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("gate", GATES)
def test_under_autocast_sublayers_hand_over_float32(gate):
    """A residual stream that was rounded at every site would lose small updates."""
    block, h, c = Block(16, 4, 4.0, gate), torch.randn(2, 3, 16), torch.randn(2, 16)
    with torch.autocast("cpu", torch.bfloat16):
        for sublayer, modulation in block.sublayers(c):
            assert sublayer.op(h).dtype == torch.bfloat16
            assert sublayer(h, *modulation).dtype == torch.float32
