"""Errors of a user's input: one clear message, exit code 2, never a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 16  # the most names that a message lists


class BadInput(ValueError):
    """The input cannot be used; the message says what was given, where, and what would work."""


class Missing(BadInput):
    """The input would do, but needs something that is not on this machine."""


def unknown(kind: str, name: str, names: Iterable[str]) -> BadInput:
    """Return the error for a name that does not exist, with near names or all of them."""
    names = sorted(names)
    near = get_close_matches(name, names, n=3)
    some = ", ".join(names[:MOST]) + (", ..." if len(names) > MOST else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {some}"
    return BadInput(f"unknown {kind} '{name}'; {hint}")
