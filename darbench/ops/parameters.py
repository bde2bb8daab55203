"""The parameters of modules that native code takes without calling the modules."""

from collections.abc import Iterator

from torch import Tensor, nn

CLASSES = nn.Linear, nn.Conv2d
HOOKS = "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"


def parameters(*modules: nn.Module) -> list[Tensor]:
    """Weight and bias of each; none at all if to call one would do more than its product.

    That is so where a module has hooks, as pruning and old weight norms have, or is of another
    class, as adapters are.
    """
    if all(map(_plain, modules)):
        return [*_pairs(*modules)]
    return []


def _plain(module: nn.Module) -> bool:
    hooked = any(getattr(module, hooks) for hooks in HOOKS)
    return type(module) in CLASSES and module.bias is not None and not hooked


def _pairs(*modules: nn.Module) -> Iterator[Tensor]:
    for module in modules:
        yield module.weight
        yield module.bias
