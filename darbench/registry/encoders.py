"""Encoders for representation alignment that users bring along, by name."""

from collections.abc import Callable

from darbench.errors import BadInput
from darbench.registry.registry import Registry

ENCODERS = Registry("encoder")


def register_encoder(name: str) -> Callable[[Callable], Callable]:
    """Decorator: makes an encoder known as training.repa.encoder=NAME.

    It is a function of x (B, C, H, W) in [-1, 1] that returns features (B, E, h, w); or a factory
    of one: a class, such as a torch Module with its tensors as parameters or buffers, or a
    function without arguments. A factory with the argument `weights` gets training.repa.weights.
    Written anew in the same place it replaces the old one; BadInput if the name is taken.
    """

    def decorate(made: Callable) -> Callable:
        if not callable(made) or not hasattr(made, "__qualname__"):
            raise BadInput(
                f"encoder '{name}': register a function or a class, not {type(made).__name__}; "
                "what is built already is returned by a function without arguments"
            )
        ENCODERS.register(name, made)
        return made

    return decorate
