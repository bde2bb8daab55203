"""Command lines in messages, quoted for a shell."""

import shlex
from collections.abc import Iterable
from pathlib import Path

RESULTS = Path("leaderboards")  # the default of --out


def command_line(
    words: Iterable[str], out: str | Path, workers: int | None = None, device: str = "auto"
) -> str:
    """Return a command line of the words, and of the options that are not at their defaults."""
    out = [] if Path(out) == RESULTS else ["--out", str(out)]
    workers = [] if workers is None else ["--workers", str(workers)]
    device = [] if device == "auto" else ["--device", device]
    return shlex.join([*words, *out, *workers, *device])
