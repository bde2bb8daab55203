"""Command lines, as messages name them and a shell takes them."""

import shlex
from collections.abc import Iterable
from pathlib import Path

RESULTS = Path("leaderboards")  # where results go unless --out names another folder


def command_line(
    words: Iterable[str], out: str | Path, workers: int | None = None, device: str = "auto"
) -> str:
    """The words with those options whose values are not the usual ones."""
    out = [] if Path(out) == RESULTS else ["--out", str(out)]
    workers = [] if workers is None else ["--workers", str(workers)]
    device = [] if device == "auto" else ["--device", device]
    return shlex.join([*words, *out, *workers, *device])
