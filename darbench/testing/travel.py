"""What a worker process gets of a user's file, and the check that it can use it.

A worker loads a copy of the file and of what belongs to it, and does not work with other contents
than those that were hashed. Classes of a script or notebook are sent by value instead.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from darbench.errors import BadInput
from darbench.registry import ENCODERS, ROUTINGS, Registry
from darbench.registry.bundle import BUNDLES, Bundle, bundle_of
from darbench.registry.by_value import by_value
from darbench.registry.imports import forget
from darbench.registry.registry import is_importable
from darbench.state.fingerprint import changed
from darbench.testing.check import check, fail
from darbench.testing.rehearsal import load_rehearsed
from darbench.testing.subject import Subject

MEND = (
    "a worker gets the file, the modules that it imports and the files that Python's `open` reads "
    "while it is loaded and first run; what a library opens by itself, such as safetensors, it "
    "does not get: load(path.read_bytes())"
)


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A copy of a user's file, for another process to load."""

    file: Path
    routings: Mapping[str, str]  # source hashes by name, where they were first loaded
    encoders: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]  # hashes of what they held then, by name

    @classmethod
    def of(cls, bundle: Bundle, folder: Path) -> "Parcel":
        """Copy a bundle below a folder."""
        return cls(
            file=bundle.copy(folder.resolve()),
            routings=_hashes(ROUTINGS, bundle),
            encoders=_hashes(ENCODERS, bundle),
            values={made.__qualname__: values for made, values in bundle.values.items()},
        )

    def load(self) -> None:
        """Load the copy, once a process; BadInput if it is not what was hashed."""
        if all(bundle.path != self.file for bundle in BUNDLES.values()):
            load_rehearsed(self.file)
        for registry, hashes in ((ROUTINGS, self.routings), (ENCODERS, self.encoders)):
            for name, wanted in hashes.items():
                made = registry.get(name)
                other = changed(self.values[made.__qualname__], bundle_of(made).values[made])
                if other or registry.source_hash(name) != wanted:
                    raise BadInput(
                        f"{self.file.name}: what it reads or imports is not what it was when "
                        f"{name} was hashed{f' ({other[0]} differs)' if other else ''}; name such "
                        "files by their place beside it, Path(__file__).parent, and leave them as "
                        "they are during a sweep; let nothing else decide a number, no clock and "
                        "no generator without a seed"
                    )


def _hashes(registry: Registry, bundle: Bundle) -> dict[str, str]:
    mine = (name for name, made in registry.items() if bundle_of(made) is bundle)
    return {name: registry.source_hash(name) for name in mine}


@check("a worker process can load it, and finds the same source")
def travels(subject: Subject) -> None:
    bundle = bundle_of(subject.cls)
    try:
        if bundle:
            with TemporaryDirectory() as folder:
                parcel = Parcel.of(bundle, Path(folder))
                with _forgotten(parcel):
                    parcel.load()
        elif not is_importable(subject.cls):
            by_value({subject.cls.__name__: subject.cls})
    except BadInput as error:
        fail(str(error), MEND)


@contextmanager
def _forgotten(parcel: Parcel) -> Iterator[None]:
    """Forget what a file has registered, and afterwards the copy that was loaded meanwhile."""
    with ROUTINGS.without(parcel.routings), ENCODERS.without(parcel.encoders):
        before = {*BUNDLES}
        try:
            yield
        finally:
            for package in BUNDLES.keys() - before:
                forget(package)
