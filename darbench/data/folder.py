"""Image files in class folders: which files count, in which order, and what is passed over.

FOLDER/CLASS/**/*.png, .jpg, .jpeg or .webp, upper or lower case. Labels count the classes in the
order of their names, character by character: 10 comes before 2. Pictures in folders within a class
belong to it. Files beside the class folders, of other kinds, and those that systems and archivers
leave behind are passed over, counted and named.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import numpy as np

from darbench.data.image_file import SUFFIXES, read_square, unreadable
from darbench.data.shown import Unreadable, treatment
from darbench.data.walk import Walk
from darbench.errors import BadInput
from darbench.records.canonical import content_hash

SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the bytes of some files tell without being decoded."""

    digests: list[bytes]  # SHA-256 of each file
    treated: Counter[str]  # how many are not simply decoded, by what is done to them


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The image files in a folder of class folders, in the order of their names."""

    path: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]  # relative to the path
    labels: np.ndarray  # int64 (N,)
    remarks: tuple[str, ...] = ()  # what is passed over, and what lies deeper than classes

    def pictures(self, index: np.ndarray, side: int) -> np.ndarray:
        """Images cropped to squares, uint8 (len(index), side, side, 3)."""
        return np.stack([read_square(self.path / self.files[i], side) for i in index])

    def stamp(self, index: np.ndarray) -> str:
        """Hash of these files' names, sizes and times of change: as long as it is the same, so are
        the files. The system sets the last time itself, whatever a copy or an archive restores."""
        stats = ((self.files[i], (self.path / self.files[i]).stat()) for i in index)
        return content_hash([[f, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for f, s in stats])

    def survey(self, index: Iterable[int]) -> Survey:
        """Read these files; BadInput names one that has no header of an image."""
        digests, treated = [], Counter()
        for i in index:
            path = self.path / self.files[i]
            try:
                data = path.read_bytes()
                treated.update(treatment(data))
            except (Unreadable, OSError) as error:
                raise unreadable(path, error) from None
            digests.append(hashlib.sha256(data).digest())
        return Survey(digests=digests, treated=treated)


def in_words(treated: Mapping[str, int]) -> list[str]:
    """What was done to pictures beyond decoding, such as "3 turned as their EXIF says"."""
    return [f"{count:,} {what}" for what, count in sorted(treated.items()) if count]


def find(path: Path) -> Folder:
    """The image files in a folder; BadInput if there is no class or a class has no image."""
    walk = Walk()
    classes, beside = walk.entries(path)
    _check_names(path, [folder.name for folder in classes])
    others, files, labels = [], [], []
    for label, folder in enumerate(classes):
        images, rest = _images(folder, walk)
        others += rest
        files += [image.relative_to(path).as_posix() for image in images]
        labels += [label] * len(images)
    passed = {
        "beside the class folders": beside,
        "of other kinds": others,
        "of the system or an archiver": walk.system,
    }
    return Folder(
        path=path,
        class_names=tuple(folder.name for folder in classes),
        files=tuple(files),
        labels=np.array(labels),
        remarks=tuple(filter(None, [_passed_over(path, passed), _nested(files)])),
    )


def _images(folder: Path, walk: Walk) -> tuple[list[Path], list[Path]]:
    """The images below a class folder, and what else lies there; BadInput without an image."""
    below = list(walk.files(folder))
    images = [file for file in below if file.suffix.lower() in SUFFIXES]
    others = [file for file in below if file.suffix.lower() not in SUFFIXES]
    if not images:
        holds = f"; it holds {len(others)} files such as {others[0].name}" if others else ""
        raise BadInput(f"{folder}: a class without images; known are {', '.join(SUFFIXES)}{holds}")
    return images, others


def _check_names(path: Path, names: list[str]) -> None:
    """BadInput if there are no classes, or if the folders cannot be classes by their names."""
    if not names:
        raise BadInput(
            f"{path}: no class folders; images must lie in FOLDER/CLASS/*, {', '.join(SUFFIXES)}"
        )
    if {name.lower() for name in names} <= SPLITS:
        raise BadInput(
            f"{path}: holds {' and '.join(names)}, which are parts and no classes; give one of "
            f"them, such as {path / names[0]}"
        )
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(normalize("NFC", name), name)) != name:
            raise BadInput(
                f"{path}: two class folders of one name, {name}, written in different characters "
                f"({first!a} and {name!a}); put their images into one"
            )


def _passed_over(path: Path, passed: dict[str, list[Path]]) -> str:
    """What is passed over, counted and named; empty if nothing is."""
    said = [
        f"{len(files):,} {what} such as {files[0].relative_to(path).as_posix()}"
        for what, files in passed.items()
        if files
    ]
    return f"passed over {', '.join(said)}" if said else ""


def _nested(files: list[str]) -> str:
    """How many images lie in folders within a class; empty if none does."""
    nested = [name for name in files if name.count("/") > 1]
    return f"{len(nested):,} in folders within a class such as {nested[0]}" if nested else ""
