"""Names of encoders for representation alignment that users bring along."""

from collections.abc import Callable, Mapping

from darbench import registry
from darbench.errors import BadInput

_ENCODERS: dict[str, Callable] = {}


def register_encoder(name: str) -> Callable[[Callable], Callable]:
    """Decorator: makes an encoder known as training.repa.encoder=NAME.

    It is a function of x (B, C, H, W) in [-1, 1] that returns features (B, E, h, w); or a factory
    of one: a class, such as a torch Module with its tensors as parameters or buffers, or a
    function without arguments. A factory with the argument `weights` gets training.repa.weights.
    Written anew in the same place it replaces the old one; BadInput if the name is taken.
    """

    def decorate(made: Callable) -> Callable:
        if not name.isidentifier():
            raise BadInput(f"encoder name '{name}': use letters, digits and _")
        if not callable(made) or not hasattr(made, "__qualname__"):
            raise BadInput(
                f"encoder '{name}': register a function or a class, not {type(made).__name__}; "
                "what is built already is returned by a function without arguments"
            )
        known = _ENCODERS.get(name, made)
        if (known.__module__, known.__qualname__) != (made.__module__, made.__qualname__):
            place = f"{known.__module__}.{known.__qualname__}"
            raise BadInput(f"an encoder '{name}' exists already: {place}; choose another name")
        _ENCODERS[name] = made
        return made

    return decorate


def encoders() -> dict[str, Callable]:
    """All registered encoders by name, those of installed packages among them."""
    registry.routings()  # imports what the packages offer
    return dict(sorted(_ENCODERS.items()))


def foreign() -> dict[str, Callable]:
    """Those of a user's file, script or notebook: another process gets them by value only."""
    return {name: made for name, made in encoders().items() if registry.is_foreign(made)}


def adopt(made: Mapping[str, Callable]) -> None:
    """Make `foreign` encoders of another process known here."""
    _ENCODERS.update(made)


def source_hash(name: str) -> str:
    return registry.source_hash(encoders()[name])


def file_of(name: str) -> str:
    return registry.file_of(encoders()[name])
