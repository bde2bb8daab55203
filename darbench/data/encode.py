"""Encode a folder of images into latents: whole shards, by several processes, resumable.

A shard is written to a temporary file and renamed when it is whole, and only then does the
manifest name it; a run that was stopped goes on with the shards that the manifest does not name.
"""

import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch

from darbench.arithmetic import no_tf32
from darbench.data.image_encoder import ImageEncoder
from darbench.data.manifest import Manifest
from darbench.data.work import KEPT, Work, prepare, writing
from darbench.errors import BadInput
from darbench.listener import CountListener, silent

SHARD = 1024


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
    work = prepare(data, vae, out, size, shard)
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
    work: Work, numbers: list[int], workers: int, devices: tuple[str, ...], listener: CountListener
) -> None:
    """Encode these shards in worker processes and enter each in the manifest when it is whole."""
    manifest, before = work.manifest, active_children()
    pool = _pool(work, min(workers, len(numbers)), devices)
    try:
        with _deaf_children():
            futures = [pool.submit(_shard, number) for number in numbers]
        for future in as_completed(futures):
            name, manifest.shape, manifest.shards[name] = future.result()
            with writing(work.out, KEPT):
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
