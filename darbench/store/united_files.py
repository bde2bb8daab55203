"""Files of a leaderboard besides its rows, taken from others: pictures, weights and code."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from darbench.files import replacing

FOLDERS = {"samples": "*.png", "weights": "*.safetensors", "sources": "*.json"}


def take_files(folder: Path, others: Iterable[Path]) -> int:
    """Copy what the others have and the folder lacks, and return how many files that is.

    Of two files of one name the one whose content has the greater hash is taken, so that it is
    the same in any order. Links are passed over.
    """
    taken = 0
    for other in others:
        for part, pattern in FOLDERS.items():
            for path in sorted((other / part).glob(pattern)):
                if path.is_file() and not path.is_symlink():
                    taken += _take(path, folder / part / path.name)
    return taken


def _take(path: Path, to: Path) -> bool:
    if to.exists() and _hash(to) >= _hash(path):
        return False
    to.parent.mkdir(parents=True, exist_ok=True)
    with replacing(to) as partial:
        shutil.copyfile(path, partial)
    return True


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
