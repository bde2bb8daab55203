"""Command lines in messages and on pages, quoted for a shell: each of them runs."""

import shlex
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from darbench.folders import without_folders

RESULTS = Path("leaderboards")  # the default of --out

FILES = ("--load", "--space")  # options whose value is a file, or the name of one that ships
OWN = ("notify", "trackers")  # settings that concern nobody but who runs the command


def published(words: Iterable[str]) -> str:
    """Return a command line for a page: it names files alone, and runs where they lie."""
    words = [word for word in words if word.lstrip("+").partition("=")[0] not in OWN]
    return shlex.join(_nameable(word, before) for before, word in pairwise(["", *words]))


def republished(text: str) -> str:
    """Return a command line as a page may have it, from one that an older darbench kept whole.

    Empty for what no shell reads.
    """
    try:
        return published(shlex.split(text))
    except ValueError:  # a quote without its end
        return ""


def files_of(text: str) -> list[str]:
    """Return the user's files that a command line of a page names; it runs where they lie."""
    words = shlex.split(text)
    named = (word for before, word in pairwise(words) if before in FILES)
    return [name for name in dict.fromkeys(named) if Path(name).suffix]


def _nameable(word: str, before: str) -> str:
    key, equals, value = word.partition("=")
    if before in FILES:  # whose folders may have a = in their names
        return Path(word).name
    if key in FILES or value.startswith(("/", "~")):
        return key + equals + Path(value).name
    return without_folders(word)


def command_line(
    words: Iterable[str], out: str | Path, workers: int | None = None, device: str = "auto"
) -> str:
    """Return a command line of the words, and of the options that are not at their defaults."""
    out = [] if Path(out) == RESULTS else ["--out", str(out)]
    workers = [] if workers is None else ["--workers", str(workers)]
    device = [] if device == "auto" else ["--device", device]
    return shlex.join([*words, *out, *workers, *device])
