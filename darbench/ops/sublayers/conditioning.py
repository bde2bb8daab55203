"""The modulations of all blocks on the CPU in float32, one product for all of them."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from darbench.ops.native.autograd import NativeFunction, first_order

WEIGHTS = 1 << 18  # of all blocks, copied side by side in less time than separate products take


def takes(*weights: Tensor) -> bool:
    """Whether one product is faster than one for each block."""
    return sum(weight.numel() for weight in weights) <= WEIGHTS


class AdaLN(NativeFunction):
    """Returns what `darbench.ops.sublayers.adaln` does, one behind the other."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, *linears: Tensor) -> tuple[Tensor, ...]:
        """linears: each block's weight and bias."""
        weight, bias = torch.cat(linears[::2]), torch.cat(linears[1::2])
        s = functional.silu(c)
        ctx.save_for_backward(c, s, weight)
        ctx.blocks = len(linears) // 2
        ctx.set_materialize_grads(False)
        return functional.linear(s, weight, bias).unsqueeze(1).chunk(6 * ctx.blocks, dim=-1)

    @staticmethod
    @first_order
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """A block of which nothing was used has no gradients, as by the definition."""
        c, s, weight = ctx.saved_tensors
        nothing = s.new_zeros(len(s), 1, s.shape[1])
        dmade = torch.cat([nothing if g is None else g for g in gradients], dim=-1).squeeze(1)
        dc = torch.ops.aten.silu_backward(dmade @ weight, c)
        dweights, dbiases = (x.chunk(ctx.blocks) for x in (dmade.mT @ s, dmade.sum(0)))
        own = [x for pair in zip(dweights, dbiases, strict=True) for x in pair]
        for i in range(ctx.blocks):
            if all(g is None for g in gradients[6 * i : 6 * i + 6]):
                own[2 * i : 2 * i + 2] = None, None
        return dc, *own
