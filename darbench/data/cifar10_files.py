"""Which files of a folder are CIFAR-10's: those of one form, one copy, and each of them once."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from darbench.data.walk import Walk
from darbench.errors import BadInput

FORMS = (
    "the folder of data_batch_*.bin and test_batch.bin, or of *train*.parquet and *test*.parquet"
)
BATCHES = 5  # files that the binary version's training part comes in
TRAIN = (f"data_batch_[1-{BATCHES}].bin", "*train*.parquet")
TEST = ("test_batch.bin", "*test*.parquet")


def find(folder: Path) -> tuple[list[Path], list[Path], tuple[str, ...]]:
    """The training files, the test files, and in words what else could have been read.

    BadInput names a file that is missing, truncated, or of another copy.
    """
    below = list(Walk().files(folder))
    train, test = _files(folder, below, "training", TRAIN), _files(folder, below, "test", TEST)
    if (train[0].parent, train[0].suffix) != (test[0].parent, test[0].suffix):
        raise BadInput(
            f"cifar10: training files such as {train[0]}, but test files such as {test[0]}; give "
            f"one copy: {FORMS}"
        )
    _of_one_length([path for path in train + test if path.suffix == ".bin"])
    return train, test, _of_other_copies(folder, below, train + test)


def _files(folder: Path, below: list[Path], part: str, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a part: those that match the first pattern with any match, in one folder.

    They may lie in a folder within, as in the archive and on the hub; the first one counts.
    """
    found = next(filter(None, (_matching(below, pattern) for pattern in patterns)), None)
    if not found:
        raise BadInput(f"cifar10: no {part} files in {folder}{_hint(below)}; it must hold {FORMS}")
    here = [path for path in found if path.parent == found[0].parent]
    _check_set(here)
    return here


def _hint(below: list[Path]) -> str:
    """Why there may be none of the files that are read: what lies there in their place."""
    names = {
        "data_batch_1": "is of the pickled version, which is not read",
        "cifar-10*.tar.gz": "is not unpacked",
    }
    for pattern, what in names.items():
        if found := _matching(below, pattern):
            return f" ({found[0]} {what})"
    return ""


def _matching(below: list[Path], pattern: str) -> list[Path]:
    return [path for path in below if fnmatchcase(path.name, pattern)]


def _of_other_copies(folder: Path, below: list[Path], taken: list[Path]) -> tuple[str, ...]:
    """What else could have been read, in words."""
    others = [
        path
        for path in below
        if path not in taken and any(fnmatchcase(path.name, p) for p in TRAIN + TEST)
    ]
    if not others:
        return ()
    return (f"passed over {len(others)} files such as {others[0].relative_to(folder)}",)


def _check_set(here: list[Path]) -> None:
    """BadInput unless the numbered files of a folder are one set, each of them once. The hub adds
    a hash to names, so files of two uploads can lie side by side."""
    names: dict[str, Path] = {}
    for path in here:
        name = re.sub(r"(-\d{5}-of-\d{5})-\w+\.parquet$", r"\1.parquet", path.name)
        twin, whole = names.setdefault(name, path), _beside(next(iter(names)))
        if twin != path or (whole and name not in whole):
            first = here[0].name if twin == path else twin.name
            raise BadInput(f"{path}: beside {first}, which is of another upload; keep one of both")
    if missing := {other for name in names for other in _beside(name)} - names.keys():
        raise BadInput(
            f"{here[0].parent / min(missing)}: missing, though {here[-1].name} is there; "
            "download it again"
        )


def _beside(name: str) -> list[str]:
    """Names of all files of the numbered set that this name belongs to; empty if to none."""
    if name.startswith("data_batch_"):
        return [f"data_batch_{i}.bin" for i in range(1, BATCHES + 1)]
    if shard := re.fullmatch(r"(.*-)\d{5}(-of-(\d{5})\.parquet)", name):
        return [f"{shard[1]}{i:05d}{shard[2]}" for i in range(int(shard[3]))]
    return []


def _of_one_length(batches: list[Path]) -> None:
    """BadInput names a batch that is shorter than others, as one that lacks its last images is."""
    sizes = {path: path.stat().st_size for path in batches}
    for path, size in sizes.items():
        if size < max(sizes.values()):
            longest = max(sizes, key=sizes.__getitem__)
            raise BadInput(
                f"{path}: truncated: {size:,} bytes, but {longest.name} has {sizes[longest]:,}; "
                "download it again"
            )
