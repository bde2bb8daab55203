"""The command lines that messages name."""

import shlex
from collections.abc import Iterable
from pathlib import Path

RESULTS = Path("leaderboards")  # where results go unless --out names another folder


def command_line(words: Iterable[str], out: str | Path) -> str:
    """As a shell takes it, with --out where results do not go to the usual folder."""
    words = [*words, *([] if Path(out) == RESULTS else ["--out", str(out)])]
    return shlex.join(words)
