"""A file with a simple routing to start from: `darbench new`."""

from pathlib import Path

from darbench.errors import BadInput

TEMPLATE = '''"""{title}: every sublayer output enters the stream with a learnt weight.

    darbench check {file}
    darbench train --load {file} --routing {name} training.steps=100
    darbench sweep --load {file} --space dar_variants
"""

import torch
from torch import nn

import darbench


@darbench.register("{name}")
class {cls}(darbench.Routing):
    """s_{{l+1}} = s_l + a_l v_l,  h_l = s_l;  a_l is one learnt number per site, 1 at first."""

    equals_add = "strong"  # the output is add's while a is 1; otherwise "weak" or "no"

    def __init__(self, sites, width, *, lr_mult: float = 1.0):  # after the star: searched
        super().__init__(sites, width)
        self.lr_mult = lr_mult
        self.a = nn.Parameter(torch.ones(sites))

    def begin(self, x, cond):  # x = v_0 (B, T, D); cond.t (B, D) is the timestep embedding
        return x  # the state: a tensor, or a (named) tuple of tensors

    def read(self, state, site):  # what sublayer `site` sees; site == sites is the head
        return state

    def write(self, state, site, v):  # v (B, T, D) is what sublayer `site` handed over
        return state + self.a[site] * v

    def elementwise_flops(self, tokens):  # forward, per sample, without matrix products
        return 2 * self.sites * tokens * self.width
'''


def new(name: str, folder: str | Path = ".") -> Path:
    """Write name.py into the folder; BadInput for a name that is not usable, or taken."""
    if not name.isidentifier() or not name.islower():
        raise BadInput(f"'{name}': use lower-case letters, digits and _, such as my_routing")
    path = Path(folder) / f"{name}.py"
    cls = "".join(part.capitalize() for part in name.split("_"))
    text = TEMPLATE.format(
        name=name, file=path.name, cls=cls, title=name.replace("_", " ").capitalize()
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{path} exists; choose another name, or move it away") from None
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from None
    return path
