"""Encode a folder of images into latents: whole shards, by several processes, resumable.

A shard is written to a temporary file and renamed when it is whole, and only then does the
manifest name it; a run that was stopped goes on with the shards that the manifest does not name.
"""

import hashlib
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from darbench.arithmetic import no_tf32
from darbench.data import autoencoder
from darbench.data import manifest as manifests
from darbench.data.base import split
from darbench.data.folder import Folder, Survey, find
from darbench.data.manifest import Manifest, shard_name
from darbench.data.pixels import to_items
from darbench.data.shown import READING
from darbench.errors import BadInput
from darbench.files import replacing
from darbench.listener import CountListener, silent
from darbench.records.canonical import content_hash
from darbench.records.rules import MOST_REFERENCES

SHARD, BATCH = 1024, 8
HELD_OUT = "to train on and held out too"
KEPT = "finished shards are kept; the same command goes on from there"


def encode(
    data: Path,
    vae: Path,
    out: Path,
    *,
    size: int = 256,
    workers: int = 1,
    devices: tuple[str, ...] = ("cpu",),
    shard: int = SHARD,
    listener: CountListener = silent,
) -> Manifest:
    """Encode the images in data into out and return the complete manifest.

    Worker i computes on devices[i mod len]. The listener counts shards. BadInput if out holds
    another encoding or cannot be written, or if a worker dies. On an interruption or an error the
    shards under way are given up and the finished ones kept.
    """
    work = _prepare(data, vae, out, size, shard)
    manifest, names = work.manifest, work.manifest.shard_names
    changed = [name for i, name in enumerate(names) if name in manifest.shards and work.changed(i)]
    for name in changed:
        del manifest.shards[name]
    missing = [i for i, name in enumerate(names) if not manifest.whole(out, name)]
    news = [f"{manifest.n} images of {data}", *work.folder.remarks]
    if changed:
        news.append(f"images of {len(changed)} finished shards changed, they are made again")
    listener(len(names) - len(missing), len(names), "; ".join(news))
    if missing:
        _write_shards(work, missing, workers, devices, listener)
    return manifest


def _write_shards(
    work: "Work",
    numbers: list[int],
    workers: int,
    devices: tuple[str, ...],
    listener: CountListener,
) -> None:
    """Encode these shards in worker processes and enter each in the manifest when it is whole."""
    manifest, before = work.manifest, active_children()
    pool = _pool(work, min(workers, len(numbers)), devices)
    try:
        with _deaf_children():
            futures = [pool.submit(_shard, number) for number in numbers]
        for future in as_completed(futures):
            name, manifest.shape, manifest.shards[name] = future.result()
            with _writing(work.out, KEPT):
                manifest.write(work.out)
            listener(len(manifest.shards), manifest.n_shards, f"wrote {name}")
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - set(before):
            child.terminate()
        if isinstance(error, BrokenProcessPool | torch.OutOfMemoryError):
            killed = "a worker process was killed, perhaps for want of memory"
            what = killed if isinstance(error, BrokenProcessPool) else "a device is out of memory"
            raise BadInput(
                f"cannot finish {work.out}: {what} (fewer --workers need less); {KEPT}"
            ) from None
        raise
    pool.shutdown()


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


def _prepare(data: Path, vae: Path, out: Path, size: int, shard: int) -> Work:
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
    with _writing(out, "choose another --out"):
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
def _writing(out: Path, hint: str) -> Iterator[None]:
    """Turn the system's refusal to write into BadInput that ends in the hint."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot write to {out}: {error.strerror or error}; {hint}") from None


def _pool(work: Work, workers: int, devices: tuple[str, ...]) -> ProcessPoolExecutor:
    """Worker processes, each with an `ImageEncoder` on the next of the devices."""
    context = get_context("spawn")  # CUDA and torch's threads do not survive a fork
    queue = context.SimpleQueue()
    for device in islice(cycle(devices), workers):
        queue.put(device)
    return ProcessPoolExecutor(workers, context, _start, (work, queue))


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Keep Ctrl-C from the processes started within this context, even while they start.

    The parent ends them and reports; its own Ctrl-C waits until the context ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(work: Work, devices: SimpleQueue) -> None:
    """Make a worker process ready: its arithmetic, and its encoder on a device of its own."""
    global _encoder
    torch.set_num_threads(1)  # sums keep their order, whatever the number of workers
    no_tf32()
    _encoder = ImageEncoder(work, devices.get())


def _shard(number: int) -> tuple[str, list[int], dict]:
    """Write that shard with this process's encoder."""
    return _encoder.shard(number)


class ImageEncoder:
    """An autoencoder on a device, as one worker process has it."""

    def __init__(self, work: Work, device: str):
        self.work, self.device = work, device

    @cached_property
    def vae(self) -> Any:
        """The autoencoder, loaded by the first shard: an error at the start would be lost."""
        return autoencoder.load(self.work.vae, self.device)

    def shard(self, number: int) -> tuple[str, list[int], dict]:
        """Write that shard; returns its name, a latent's shape, and its entry in the manifest."""
        work, files = self.work, self.work.files(number)
        stamp = work.stamp(number)  # before they are read: a later change shows
        survey = work.folder.survey(files)
        parts = [self._encoded(files[i : i + BATCH]) for i in range(0, len(files), BATCH)]
        pictures, mean, std = (torch.cat(part).contiguous() for part in zip(*parts, strict=True))
        tensors = {
            "mean": mean,
            "std": std,
            "label": torch.from_numpy(work.folder.labels[files]),
            "picture": pictures[: work.manifest.pictures(number)].clone(),
        }
        data, name = save(tensors), shard_name(number)
        with _writing(work.out, KEPT), replacing(work.out / name) as partial:
            partial.write_bytes(data)
        facts = {
            "count": len(files),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "images": work.images(number, survey),
            "stamp": stamp,
            "treated": work.treated(number, survey),
        }
        return name, list(mean.shape[1:]), facts

    @torch.no_grad()
    def _encoded(self, files: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures of these files, and mean and standard deviation of their posteriors."""
        pictures = self.work.folder.pictures(files, self.work.manifest.size)
        posterior = self.vae.encode(to_items(pictures).to(self.device)).latent_dist
        mean, std = posterior.mean.cpu(), posterior.std.cpu()
        self._check(files, mean, std)
        return torch.from_numpy(pictures), mean, std

    def _check(self, files: np.ndarray, mean: Tensor, std: Tensor) -> None:
        """BadInput names the first of these files whose latent is not finite."""
        finite = (torch.isfinite(mean) & torch.isfinite(std)).flatten(1).all(1)
        if finite.all():
            return
        path = self.work.folder.path / self.work.folder.files[files[int(finite.int().argmin())]]
        weights = autoencoder.not_finite(self.vae)
        cause = f"its weight {weights[0]} is not finite" if weights else "its values overflow"
        raise BadInput(
            f"{path}: the autoencoder makes latents of it that are not finite ({cause}); give "
            "another --vae"
        )
