"""What is to be encoded into latents, and what of it is done: the work that is shared out."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darbench.data import autoencoder
from darbench.data import manifest as manifests
from darbench.data.base import split
from darbench.data.folder import Folder, Survey, find
from darbench.data.manifest import Manifest, shard_name
from darbench.data.shown import READING
from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.records.rules import MOST_REFERENCES

HELD_OUT = "to train on and held out too"
KEPT = "finished shards are kept; the same command goes on from there"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What to encode, with what and to where; every worker gets a copy."""

    folder: Folder
    order: np.ndarray  # index of the file of each item
    held: frozenset[bytes]  # digests of the files that are held out
    vae: Path
    out: Path
    manifest: Manifest

    def files(self, number: int) -> np.ndarray:
        """Indices of the files of that shard's items."""
        return self.order[self.manifest.items(number)]

    def stamp(self, number: int) -> str:
        return self.folder.stamp(self.files(number))

    def images(self, number: int, survey: Survey) -> str:
        """Hash of the names and bytes of that shard's images."""
        names = (self.folder.files[i] for i in self.files(number))
        digests = (digest.hex() for digest in survey.digests)
        return content_hash([list(pair) for pair in zip(names, digests, strict=True)])

    def changed(self, number: int) -> bool:
        """Whether the files of a finished shard have changed since it was made. They are read only
        if their sizes or times have."""
        facts = self.manifest.shards[shard_name(number)]
        if facts["stamp"] == self.stamp(number):
            return False
        return facts["images"] != self.images(number, self.folder.survey(self.files(number)))

    def treated(self, number: int, survey: Survey) -> dict[str, int]:
        """How many of that shard's images are not simply decoded and kept apart, by what holds."""
        part = self.manifest.items(number)
        trained = survey.digests[max(0, self.manifest.n_val - part.start) :]
        twice = sum(digest in self.held for digest in trained)
        return dict(sorted((survey.treated + Counter({HELD_OUT: twice})).items()))


def prepare(data: Path, vae: Path, out: Path, size: int, shard: int) -> Work:
    """The work as a whole, with a manifest that lies in out; BadInput if it cannot be done."""
    folder, made = find(data), autoencoder.load(vae)
    factor = 2 ** (len(made.config.block_out_channels) - 1)
    if size < factor or size % factor:
        raise BadInput(f"--size {size}: must be a multiple of {factor}, as the autoencoder halves")
    train, val = split(len(folder.files))
    if not len(val):
        raise BadInput(f"{data}: {len(train)} images; a tenth is held out, so give 10 or more")
    manifest = Manifest(
        source=content_hash(folder.files),
        vae=autoencoder.fingerprint(vae),
        scale=made.config.scaling_factor,
        shift=autoencoder.shift(made),
        reading=READING,
        size=size,
        shard=shard,
        n=len(folder.files),
        n_val=len(val),
        n_pictures=len(val) + min(len(train), MOST_REFERENCES),
        class_names=list(folder.class_names),
    )
    return Work(
        folder=folder,
        order=np.concatenate([val, train]),
        held=frozenset(folder.survey(val).digests),
        vae=out / "vae",
        out=out,
        manifest=_begun(manifest, vae, out),
    )


def _begun(manifest: Manifest, vae: Path, out: Path) -> Manifest:
    """The manifest that lies in out with its finished shards; a new one is written there."""
    with writing(out, "choose another --out"):
        if not (out / manifests.FILE).is_file():
            autoencoder.copy(vae, out / "vae")
            manifest.write(out)
            return manifest
    begun = manifests.read(out)
    if differences := begun.differences(manifest):
        raise BadInput(f"{out}: holds latents of {', '.join(differences)}; give another --out")
    begun.shards = {name: facts for name, facts in begun.shards.items() if begun.whole(out, name)}
    return begun


@contextmanager
def writing(out: Path, hint: str) -> Iterator[None]:
    """Turn the system's refusal to write into BadInput that ends in the hint."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot write to {out}: {error.strerror or error}; {hint}") from None
