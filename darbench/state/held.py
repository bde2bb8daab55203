"""What loaded code holds, in fingerprints that are equal wherever it holds the same.

They show whether a file gives another process, or another day, the numbers that it gave before:
those it took from the environment, from chance or by a reader that nobody hears.
"""

import os
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import torch
from torch import Tensor, nn

from darbench.folders import without_folders
from darbench.state.carried import REGISTERED, Reach
from darbench.state.fingerprint import Fingerprint, tensor_content
from darbench.state.generators import GLOBAL

OUTSIDE = {id(each) for each in (*GLOBAL, os.environ)}  # of the process, and not of the code


class Content(Fingerprint):
    """Fingerprints by content alone, that of parameters too, and by no identity of an object.

    Folders do not count, for a copy of the code lies in others, nor does the name of its package.
    """

    def __init__(self, home: str = ""):
        super().__init__(home=home)
        self._found: dict[int, object] = {}

    def of(self, value: Any) -> object:
        if isinstance(value, str | PurePath):
            return type(value).__name__, self._text(str(value))
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            return super().of(value)
        if id(value) not in self._found:
            self._found[id(value)] = "itself"  # while its parts are looked at
            self._found[id(value)] = super().of(value)
        return self._found[id(value)]

    def _text(self, text: str) -> str:
        text = "" if os.path.isabs(text) else without_folders(text)
        return text.replace(self._home, "") if self._home else text

    def _content(self, value: Any) -> object:
        if id(value) in OUTSIDE:
            return "of the process"
        if isinstance(value, Tensor):
            return self._of_tensor(value.detach())
        return super()._content(value)

    def _of_tensor(self, value: Tensor) -> object:
        if value.is_meta:
            return str(value.dtype), tuple(value.shape)
        return tensor_content(value if value.layout == torch.strided else value.to_dense())

    def _identity(self, value: Any) -> object:
        return getattr(value, "__qualname__", type(value).__qualname__)


def held_by_code(made: Callable) -> dict[str, object]:
    """Return a fingerprint of each value outside of it that a class or function uses."""
    reach = Reach(made.__module__.partition(".")[0], Content)
    reach.into(made.__name__, made)
    return reach.found


def held_by(module: nn.Module) -> dict[str, object]:
    """Return a fingerprint of each parameter, buffer and attribute of a module and its parts."""
    of = Content(type(module).__module__.partition(".")[0]).of
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    found = {f"self.{name}": of(value) for name, value in tensors.items()}
    for prefix, part in module.named_modules():
        start = f"self.{prefix}." if prefix else "self."
        plain = {name: value for name, value in vars(part).items() if name not in REGISTERED}
        found |= {start + name: of(value) for name, value in plain.items()}
    return found
