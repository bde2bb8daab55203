"""The archive of a leaderboard, unpacked: nothing of it is believed before it was looked at.

Whoever sent it may have made a file that reaches out of its folder, is a link, has one name twice,
or becomes larger than the disk.
"""

import hashlib
import json
import stat
import struct
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from darbench.errors import BadInput
from darbench.store import declared, sound
from darbench.store.archive import FORMAT, LEDGER, MANIFEST, NAMES, Stored

MOST = 2**31  # bytes that an archive may have, and all of its files together
MOST_MANIFEST = 2**24
PART = 2**20
DAMAGED = (
    BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


class Manifest(NamedTuple):
    name: str
    files: dict[str, Stored]


class Refused(Exception):
    """What is wrong with an archive."""


def unpack(path: Path, folder: Path) -> str:
    """Write the files of an archive to an empty folder, and return the leaderboard's name.

    BadInput for a file that is no archive, or not just what `pack` makes: the folder may have
    parts of it then, and nothing outside of it has.
    """
    try:
        return _unpack(path, folder)
    except Refused as error:
        what = str(error)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; `darbench export` makes one") from None
    except DAMAGED as error:
        what = f"no whole archive of `darbench export` ({error})"
    raise BadInput(f"{path}: {what}; nothing was imported, ask for a new export")


def _unpack(path: Path, folder: Path) -> str:
    if path.stat().st_size > MOST:
        raise Refused(f"larger than {MOST} bytes")
    with ZipFile(path) as archive:
        entries = _entries(archive.infolist())
        manifest = _manifest(archive, entries.pop(MANIFEST, None))
        _compare(entries, manifest.files)
        for name, entry in entries.items():
            content = folder / name  # one of NAMES
            content.parent.mkdir(parents=True, exist_ok=True)
            _write(archive, entry, manifest.files[name], content)
    try:
        sound.check(folder)
    except BadInput as error:
        raise Refused(str(error).replace(f"{folder}/", "")) from None
    return manifest.name


def _entries(listed: Iterable[ZipInfo]) -> dict[str, ZipInfo]:
    """The entries by their names; Refused for any that is not a plain file of a leaderboard."""
    listed = [*listed]
    for entry in listed:
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        if name != MANIFEST and not NAMES.fullmatch(name):
            raise Refused(f"holds {name[:80]!r}, which is no file of a leaderboard")
        if kind not in (0, stat.S_IFREG):
            raise Refused(f"{name} is a link, a folder or a device, not a file")
        if entry.flag_bits & 1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise Refused(f"{name} is encrypted, or packed in a way that `export` does not use")
    twice = [n for n, count in Counter(each.filename for each in listed).items() if count > 1]
    if twice:
        raise Refused(f"holds {twice[0]} twice")
    return {entry.filename: entry for entry in listed}


def _manifest(archive: ZipFile, entry: ZipInfo | None) -> Manifest:
    if entry is None:
        raise Refused(f"has no {MANIFEST}")
    if entry.file_size > MOST_MANIFEST:
        raise Refused(f"{MANIFEST} is larger than {MOST_MANIFEST} bytes")
    with archive.open(entry) as file:
        content = file.read(MOST_MANIFEST)
    try:
        said = json.loads(content)
        version, name, files = said["darbench"], said["name"], said["files"]
        manifest = Manifest(name, {key: Stored(**each) for key, each in files.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(f"{MANIFEST} is none of `darbench export`") from None
    if version != FORMAT:
        raise Refused(f"is of format {version!r}, this darbench reads {FORMAT}")
    if not sound.is_name(name) or not all(map(_is_sound, manifest.files.values())):
        raise Refused(f"{MANIFEST} has a name, size or hash that is none")
    return manifest


def _is_sound(stored: Stored) -> bool:
    return type(stored.bytes) is int and stored.bytes >= 0 and isinstance(stored.sha256, str)


def _compare(entries: dict[str, Any], files: dict[str, Stored]) -> None:
    """Refused if the archive and its manifest have different files, or too much in them."""
    if {*entries} != {*files}:
        odd = min({*entries} ^ {*files})
        raise Refused(f"{odd[:80]!r} is in the archive or in its {MANIFEST}, not in both")
    for needed in (LEDGER, declared.FILE):
        if needed not in files:
            raise Refused(f"has no {needed}")
    if sum(stored.bytes for stored in files.values()) > MOST:
        raise Refused(f"would take more than {MOST} bytes")


def _write(archive: ZipFile, entry: ZipInfo, stored: Stored, path: Path) -> None:
    """Write a file as it is unpacked, and stop where it becomes larger than the manifest says."""
    digest, left = hashlib.sha256(), stored.bytes
    with archive.open(entry) as packed, path.open("xb") as file:
        while part := packed.read(min(PART, left + 1)):
            left -= len(part)
            if left < 0:
                break
            digest.update(part)
            file.write(part)
    if left:
        raise Refused(f"{entry.filename} has not the {stored.bytes} bytes of its {MANIFEST}")
    if digest.hexdigest() != stored.sha256:
        raise Refused(f"{entry.filename} has not the hash of its {MANIFEST}")
