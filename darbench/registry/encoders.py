"""Users' encoders for representation alignment, by name."""

from collections.abc import Callable

from darbench.errors import BadInput
from darbench.registry.registry import Registry

ENCODERS = Registry("encoder")


def register_encoder(name: str) -> Callable[[Callable], Callable]:
    """Decorator that registers an encoder, for training.repa.encoder=NAME.

    An encoder is a function of x (B, C, H, W) in [-1, 1] that returns features (B, E, h, w), or a
    factory of one: a class, such as a torch Module with its tensors as parameters or buffers, or
    a function without arguments. A factory with the argument `weights` gets
    training.repa.weights.
    An encoder written again in the same place replaces the old one; BadInput if the name is taken.
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
