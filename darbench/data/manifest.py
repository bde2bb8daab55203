"""What a folder of latents says about itself: which images, which autoencoder, which shards.

OUT/manifest.json            the manifest; rewritten after every shard: it names finished ones
OUT/shard-00000.safetensors  mean and std (n, C, H, W) of the posterior, label (n,), and
                             picture (m, size, size, 3) of those whose pictures are kept
OUT/vae/                     the autoencoder, to decode with
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from darbench.errors import BadInput
from darbench.files import replacing
from darbench.records.canonical import content_hash

FILE = "manifest.json"
WORKS = "give the --out folder of `darbench prepare imagenet`"
FIRST = {"shift": 0.0, "reading": 1}  # what holds where an earlier manifest says nothing
AGAIN = "run `darbench prepare imagenet` again with the same --out"


@dataclass(kw_only=True)
class Manifest:
    """The facts of a folder of latents. Items lie in the shards in the order of `split`: first the
    held out ones, then those to train on."""

    source: str  # hash of the names of the images
    vae: str  # fingerprint of the autoencoder
    scale: float  # latents less the shift, times this, have about unit variance
    shift: float
    reading: int  # version of how image files become pixels, `darbench.data.shown.READING`
    size: int  # side of the images that were encoded
    shard: int  # items in a shard; the last may have fewer
    n: int  # items in all
    n_val: int  # the first so many are held out
    n_pictures: int  # the first so many are kept as pictures too
    class_names: list[str]
    shape: list[int] = field(default_factory=list)  # (C, H, W) of a latent
    # For each finished shard: count, bytes, sha256; a hash of its images' names and bytes, a stamp
    # of their sizes and times, and how many were treated in which way.
    shards: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def n_shards(self) -> int:
        return -(-self.n // self.shard)

    @property
    def shard_names(self) -> list[str]:
        return [shard_name(number) for number in range(self.n_shards)]

    @property
    def fingerprint(self) -> str:
        """Hash of all but the stamps, which differ between machines; fields that manifests did not
        have at first count where they say something."""
        facts = {k: v for k, v in asdict(self).items() if k not in FIRST or v != FIRST[k]}
        for shard in facts["shards"].values():
            shard.pop("stamp", None)
        return content_hash(facts)

    @property
    def treated(self) -> Counter[str]:
        """How many images were treated in which way, in all finished shards."""
        return sum((Counter(s.get("treated", {})) for s in self.shards.values()), Counter())

    def items(self, number: int) -> slice:
        """The items of that shard, as a slice of all items."""
        return slice(number * self.shard, min(self.n, (number + 1) * self.shard))

    def pictures(self, number: int) -> int:
        """How many items of that shard are kept as pictures too: its first ones."""
        part = self.items(number)
        return max(0, min(part.stop, self.n_pictures) - part.start)

    def differences(self, wanted: "Manifest") -> list[str]:
        """Why this manifest's folder cannot take shards of the wanted one; empty if it can."""
        reasons = {
            "size": f"--size {self.size}, not {wanted.size}",
            "vae": "another autoencoder",
            "n": f"{self.n} images, not {wanted.n}",
            "source": "images of other names",
            "scale": f"the scale {self.scale:g}, not {wanted.scale:g}",
            "shift": f"the shift {self.shift:g}, not {wanted.shift:g}",
            "reading": "images read by earlier rules",
        }
        planned = [f.name for f in fields(self) if f.name not in ("shape", "shards")]
        differ = [name for name in planned if getattr(self, name) != getattr(wanted, name)]
        if "n" in differ:
            differ.remove("source")
        return [reasons[name] for name in reasons if name in differ] or differ

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest by this one, whole or not at all."""
        self.shards = dict(sorted(self.shards.items()))
        with replacing(folder / FILE) as partial:
            partial.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def whole(self, folder: Path, name: str) -> bool:
        """Whether that shard was finished and lies there at its full length."""
        path = folder / name
        known = name in self.shards and path.is_file()
        return known and path.stat().st_size == self.shards[name]["bytes"]

    def intact(self, folder: Path, name: str) -> bool:
        """Whether that shard's bytes are those that were written; reads them all."""
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
        except OSError:  # the disk fails
            return False
        return digest.hexdigest() == self.shards[name]["sha256"]


def shard_name(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def read(folder: Path) -> Manifest:
    """The manifest in a folder; BadInput if there is none or it cannot be read."""
    path = folder / FILE
    if not path.is_file():
        raise BadInput(f"{folder}: no {FILE}; {WORKS}")
    try:
        stored = FIRST | json.loads(path.read_text(encoding="utf-8"))
        if stored.keys() != {f.name for f in fields(Manifest)}:
            raise ValueError("its keys are others than those of this version")
        manifest = Manifest(**stored)
        if not _sound(manifest):
            raise ValueError("its sizes and shards cannot be right")
        return manifest
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: no manifest of latents ({error}); {WORKS}") from None


def _sound(m: Manifest) -> bool:
    """Whether the numbers of a manifest fit one another. Values of a wrong type are False, or
    raise TypeError or AttributeError."""
    counts = (m.size, m.shard, m.n, m.n_val, m.n_pictures, *m.shape)
    whole = all(type(count) is int and count > 0 for count in counts)
    scaled = m.scale > 0 and math.isfinite(m.scale) and math.isfinite(m.shift)
    nested = m.n_val <= m.n_pictures <= m.n > m.n_val
    named = len(set(m.class_names)) == len(m.class_names) > 0
    shards = all({"bytes", "sha256", "images"} <= s.keys() for s in m.shards.values())
    return (
        whole and scaled and nested and named and shards and len(m.shape) == (3 if m.shards else 0)
    )


def read_complete(folder: Path) -> Manifest:
    """The manifest of a folder, if all its shards are there; BadInput names the first that is
    missing or truncated."""
    manifest = read(folder)
    broken = [name for name in manifest.shard_names if not manifest.whole(folder, name)]
    if broken:
        raise BadInput(
            f"{folder / broken[0]}: missing or truncated, one of {len(broken)} of "
            f"{manifest.n_shards} shards; {AGAIN}"
        )
    return manifest
