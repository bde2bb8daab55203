"""Bad input: one clear message, exit code 2 on the command line, never a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 16  # known names that a message lists


class BadInput(ValueError):
    """The user asked for something that cannot be; the message says what, where and what would."""


class Missing(BadInput):
    """What was asked for could be, but needs something that is not on this machine."""


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """`unknown("routing", "dra", ["add", "dar"])`: the error, with near names or all of them."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3)
    some = ", ".join(known[:MOST]) + (", ..." if len(known) > MOST else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {some}"
    return BadInput(f"unknown {kind} '{name}'; {hint}")
