"""A leaderboard as one file that can be mailed.

It is a zip of deflated files: manifest.json, with the leaderboard's name and the size and SHA-256
of every other file, the rows of the ledger, what its sweeps declared, and pictures of samples
where they are wanted. The same rows make the same bytes.
"""

import hashlib
import json
import re
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from darbench.files import replacing
from darbench.folders import without_folders
from darbench.records.canonical import canonical_json
from darbench.store import declared
from darbench.store.united import FILE, united_declared, united_rows

FORMAT = 1
MANIFEST = "manifest.json"
LEDGER = f"ledger/{FILE}"
# Every name that an archive may have besides the manifest.
NAMES = re.compile(
    "|".join([re.escape(LEDGER), re.escape(declared.FILE), r"samples/[0-9A-Za-z_-]{1,64}\.png"])
)
LEVEL, EPOCH, MODE = 9, (1980, 1, 1, 0, 0, 0), stat.S_IFREG | 0o644


@dataclass(frozen=True)
class Stored:
    """A file as the manifest has it."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> "Stored":
        return cls(len(content), hashlib.sha256(content).hexdigest())


def pack(folder: Path, path: Path, name: str, *, samples: bool = False) -> dict[str, Stored]:
    """Write the archive of a leaderboard, and return what is in it; BadInput for what is no row.

    It names no folder of this machine, and has neither weights nor states.
    """
    files = {LEDGER: _ledger(folder), declared.FILE: _declared(folder)}
    if samples:
        found = sorted((folder / "samples").glob("*.png"))
        pictures = {f"samples/{file.name}": file for file in found if not file.is_symlink()}
        files |= {key: file.read_bytes() for key, file in pictures.items() if NAMES.fullmatch(key)}
    stored = {key: Stored.of(content) for key, content in files.items()}
    listed = {key: asdict(each) for key, each in stored.items()}
    manifest = {"darbench": FORMAT, "name": name, "files": listed}
    with replacing(path, flush=True) as partial, ZipFile(partial, "w") as archive:
        _add(archive, MANIFEST, _text(manifest))
        for key in sorted(files):
            _add(archive, key, files[key])
    return stored


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    entry = ZipInfo(name, EPOCH)
    entry.create_system, entry.external_attr = 3, MODE << 16
    archive.writestr(entry, content, ZIP_DEFLATED, LEVEL)


def _ledger(folder: Path) -> bytes:
    """The lines of the ledger; those of a configuration side by side, which pack best."""
    found = {_mailable(line, row): row for line, row in united_rows([folder]).items()}

    def place(line: bytes) -> tuple:
        row = found[line]
        return row["config_hash"], row["trial_id"], row["step"], line

    return b"".join(line + b"\n" for line in sorted(found, key=place))


def _mailable(line: bytes, row: dict[str, Any]) -> bytes:
    """The line; of a row whose error names a folder, as an older darbench wrote it, without it."""
    if not row["error"] or row["error"] == (error := without_folders(row["error"])):
        return line
    return canonical_json(json.loads(line) | {"error": error}).encode()


def _declared(folder: Path) -> bytes:
    """The declarations in the form that they have in a union: with themselves."""
    said = declared.read(folder)
    return _text(asdict(united_declared([said, said], ())))


def _text(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
