"""The buffers of a module: copies to work on, and what a pass must not make of them."""

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from darbench.state.fingerprint import Fingerprint

Buffers = dict[str, Tensor]
KEEP = "register it in __init__, and keep its shape and dtype"
APART = "hold a copy, .detach().clone()"


def buffers(module: nn.Module) -> Buffers:
    """Return the buffers themselves by name, one that stands in two places under both."""
    return dict(module.named_buffers(remove_duplicate=False))


def copied(module: nn.Module) -> Buffers:
    """Return copies of the buffers; those that share memory do so as copies too."""
    memo: dict[int, object] = {}
    return {name: copy.deepcopy(x.detach(), memo) for name, x in buffers(module).items()}


def put(module: nn.Module, given: Mapping[str, Tensor]) -> None:
    """Make these the buffers of a module, and write nothing into those that it has."""
    for name, buffer in given.items():
        part, _, last = name.rpartition(".")
        module.get_submodule(part)._buffers[last] = buffer


def restore(given: Mapping[str, Tensor], content: Mapping[str, Tensor]) -> None:
    """Write what buffers held into those that hold something else now.

    Nothing else is written: a buffer that is expanded cannot be, and holds what it held.
    """
    for name, buffer in given.items():
        if Fingerprint().of(buffer) != Fingerprint().of(content[name]):
            buffer.copy_(content[name])


def reshaped(first: Mapping[str, Tensor], now: Mapping[str, Tensor]) -> str:
    """Say which buffer has another shape or dtype now, or was not there; empty if none."""
    for name in sorted(first.keys() | now.keys()):
        before, after = _form(first.get(name)), _form(now.get(name))
        if before != after:
            return f"the buffer {name} from {before} to {after}"
    return ""


def shared(module: nn.Module) -> str:
    """Say which buffer is the memory of a parameter; empty if none."""
    learnt = {_memory(p): name for name, p in module.named_parameters() if p.numel()}
    for name, buffer in buffers(module).items():
        if buffer.numel() and _memory(buffer) in learnt:
            return (
                f"the buffer {name} shares its memory with the parameter {learnt[_memory(buffer)]}"
            )
    return ""


def _memory(x: Tensor) -> int:
    return x.untyped_storage()._cdata


def _form(buffer: Tensor | None) -> str:
    return "none" if buffer is None else f"{buffer.dtype} {tuple(buffer.shape)}"
