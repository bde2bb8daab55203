"""The code of routings beside a ledger: a file for each source hash that rows carry."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from darbench.files import replacing
from darbench.folders import code_without_folders

FOLDER = "sources"
_HASH = re.compile(r"[0-9a-f]{2,64}")  # what else stands in a ledger names no file


@dataclass(frozen=True, kw_only=True)
class Source:
    files: Mapping[str, str]  # text by name, that of the routing first
    bibtex: str = ""  # of its paper


def keep(folder: Path, code_hash: str, made: Callable[[], Source]) -> None:
    """Write what `made` returns, without the folders of this machine, unless it is there."""
    path = _path(folder, code_hash)
    if path is None or path.exists():
        return
    source = made()
    files = {name: code_without_folders(text) for name, text in source.files.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        kept = asdict(Source(files=files, bibtex=source.bibtex))
        partial.write_text(json.dumps(kept, indent=1), encoding="utf-8")


def read_sources(folder: Path, hashes: Iterable[str]) -> dict[str, Source]:
    """Return what is kept of these hashes; what cannot be read is left out, as are links."""
    found = {}
    for code_hash in hashes:
        path = _path(folder, code_hash)
        if path and path.is_file() and not path.is_symlink():
            source = _read(path)
            found |= {code_hash: source} if source else {}
    return found


def _read(path: Path) -> Source | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): str(text) for name, text in held["files"].items()}
        return Source(files=files, bibtex=str(held["bibtex"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _path(folder: Path, code_hash: str) -> Path | None:
    return folder / FOLDER / f"{code_hash}.json" if _HASH.fullmatch(code_hash) else None
