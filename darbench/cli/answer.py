"""How a verb answers: with one JSON document or a text, and with an exit code."""

import json
from collections.abc import Callable
from typing import Any

import typer

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def show(plain: Any, text: Callable[[], str], as_json: bool, *, indent: int | None = None) -> None:
    """Print the result of a verb, as one JSON document or as text for people."""
    print(json.dumps(plain, indent=indent, default=str) if as_json else text())


def leave(*, interrupted: bool = False, failed: bool) -> None:
    """End with the exit code of what happened, if it is not 0."""
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        raise typer.Exit(EXIT_FAILED)
