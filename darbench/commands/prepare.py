"""The encoding of a folder of images into latents to train on: `darbench prepare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.data import kind
from darbench.data.encode import encode
from darbench.data.folder import find, in_words
from darbench.errors import BadInput, unknown
from darbench.listener import CountListener, silent
from darbench.search import machine

PREPARED = ("imagenet",)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Latents that can be trained on."""

    out: Path
    images: int
    fingerprint: str
    variable: str  # the environment variable for their folder
    found: tuple[str, ...]  # what was passed over and lies deeper, as said at the beginning
    treated: tuple[str, ...]  # how images were read that are not plain, known at the end

    def summary(self) -> dict[str, Any]:
        """Return the result as plain values, for a program to read."""
        facts = {"images": self.images, "fingerprint": self.fingerprint}
        return {"out": str(self.out), **facts, "remarks": [*self.treated, *self.found]}


def prepare(
    what: str,
    *,
    vae: Path,
    data: Path,
    out: Path,
    size: int = 256,
    workers: int | None = None,
    device: str = "auto",
    listener: CountListener = silent,
) -> Prepared:
    """Encode the images that are not encoded yet, by default with a worker per core or GPU."""
    if what not in PREPARED:
        raise unknown("thing to prepare", what, PREPARED)
    for option, folder in (("--vae", vae), ("--data", data)):
        if not folder.is_dir():
            raise BadInput(f"{option} {folder}: no such folder")
    devices = tuple(machine.units(machine.device(device)))
    given = {"size": size, "workers": workers or len(devices), "devices": devices}
    manifest = encode(data, vae, out, **given, listener=listener)
    return Prepared(
        out=out,
        images=manifest.n,
        fingerprint=manifest.fingerprint,
        variable=kind("latents").variable,
        found=find(data).remarks,
        treated=tuple(in_words(manifest.treated)),
    )
