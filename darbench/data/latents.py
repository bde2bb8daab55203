"""Latents of images, as `darbench prepare imagenet` wrote them, read item by item from the shards.

A training item is scale (mean + std e - shift) with the mean and standard deviation of the
autoencoder's posterior (Rombach et al., arXiv:2112.10752; Stable Diffusion's have scale 0.18215
and shift 0) and e standard normal, drawn anew at every position of a run. A validation item is
scale (mean - shift).
Differs from DiT and SiT: no image is mirrored.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from darbench.data import autoencoder
from darbench.data.base import Dataset, to_uint8
from darbench.data.folder import in_words
from darbench.data.manifest import AGAIN, Manifest, read_complete, shard_name
from darbench.errors import BadInput
from darbench.listener import CountListener
from darbench.randomness import normal_per_index

DECODED = 8  # latents decoded at a time; fixed and padded, so no picture depends on its batch


@dataclass(frozen=True, kw_only=True)
class Latents(Dataset):
    """The latents in a folder that `darbench prepare imagenet` wrote."""

    path: Path
    manifest: Manifest
    shards: list[Any]  # mapped into memory, not read: the system caches what it has room for
    name: str = "latents"

    @property
    def classes(self) -> int:
        return len(self.manifest.class_names)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.manifest.shape)

    @property
    def n_train(self) -> int:
        return self.manifest.n - self.manifest.n_val

    @property
    def n_val(self) -> int:
        return self.manifest.n_val

    @property
    def n_references(self) -> int:
        return self.manifest.n_pictures - self.n_val

    @property
    def picture_bytes(self) -> int:
        return 3 * self.manifest.size**2

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the manifest, which holds a hash of every shard and of the autoencoder."""
        return self.manifest.fingerprint

    @cached_property
    def reference_images(self) -> np.ndarray:
        """The first training images as they were before encoding; nothing is decoded."""
        return self._pictures(np.arange(self.n_val, self.manifest.n_pictures))

    @cached_property
    def val_images(self) -> np.ndarray:
        return self._pictures(np.arange(self.n_val))

    @property
    def remarks(self) -> list[str]:
        return in_words(self.manifest.treated)

    def items(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return self._means(self.n_val + index)

    def val(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        return self._means(index)

    def verify(self, listener: CountListener) -> None:
        """Read every shard; BadInput names those whose bytes are not the ones written, and the
        first that holds what is not finite."""
        total, changed = self.manifest.n_shards, []
        listener(0, total, f"reading the shards of {self.path}")
        for number, name in enumerate(self.manifest.shard_names):
            if not self.manifest.intact(self.path, name):
                changed.append(name)
            listener(number + 1, total, "")
        if changed:
            raise BadInput(
                f"{self.path}: {len(changed)} of {total} shards are not as they were written: "
                f"{', '.join(changed)}; delete them and {AGAIN}"
            )
        for number in range(total):
            part = self.manifest.items(number)
            self._posterior(np.arange(part.start, part.stop))

    def train(self, seed: int, positions: range) -> tuple[Tensor, Tensor]:
        numbers = self.n_val + self.order(seed, positions)
        noise = torch.from_numpy(normal_per_index(seed, "posterior", positions, self.shape))
        mean, std = self._posterior(numbers)
        return self._scaled(mean + std * noise), self._read("label", numbers)

    @torch.no_grad()
    def decode(self, x: Tensor) -> np.ndarray:
        vae = self.vae.to(x.device)
        pictures = []
        for part in (x / self.manifest.scale + self.manifest.shift).split(DECODED):
            padded = F.pad(part, (0, 0, 0, 0, 0, 0, 0, DECODED - len(part)))
            pictures.append(to_uint8(vae.decode(padded).sample[: len(part)].cpu().numpy()))
        return np.concatenate(pictures)

    @cached_property
    def vae(self) -> Any:
        """The autoencoder that decodes; BadInput unless it is the one that encoded."""
        path = self.path / "vae"
        if autoencoder.fingerprint(path) != self.manifest.vae:
            raise BadInput(
                f"{path}: not the autoencoder that encoded these latents; run `darbench prepare "
                "imagenet` again into another --out"
            )
        vae = autoencoder.load(path)
        if (shift := autoencoder.shift(vae)) != self.manifest.shift:
            raise BadInput(
                f"{self.path}: encoded by an earlier version, which ignored the autoencoder's "
                f"shift_factor {shift:g}; run `darbench prepare imagenet` again into another --out"
            )
        return vae

    def _means(self, numbers: np.ndarray) -> tuple[Tensor, Tensor]:
        mean, _ = self._posterior(numbers)
        return self._scaled(mean), self._read("label", numbers)

    def _scaled(self, latents: Tensor) -> Tensor:
        return self.manifest.scale * (latents - self.manifest.shift)

    def _posterior(self, numbers: np.ndarray) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of these items; BadInput names a shard where one is not
        finite: a trial would call it a divergence."""
        mean, std = self._read("mean", numbers), self._read("std", numbers)
        finite = (torch.isfinite(mean) & torch.isfinite(std)).flatten(1).all(1)
        if not finite.all():
            item = int(numbers[int(finite.int().argmin())])
            path = self.path / shard_name(item // self.manifest.shard)
            raise BadInput(
                f"{path}: latent {item % self.manifest.shard} is not finite, so the autoencoder "
                "failed on its image; run `darbench prepare imagenet` again into another --out"
            )
        return mean, std

    def _pictures(self, numbers: np.ndarray) -> np.ndarray:
        return self._read("picture", numbers).numpy()

    def _read(self, key: str, numbers: np.ndarray) -> Tensor:
        """Rows of the tensor `key`, one for each of these numbers among all items."""
        rows = []
        for number in numbers.tolist():
            shard, row = divmod(number, self.manifest.shard)
            rows.append(self.shards[shard].get_slice(key)[row : row + 1])
        return torch.cat(rows)


def load(path: Path) -> Latents:
    """The latents in a folder; of the content only the labels are read.

    BadInput names a shard that is missing, truncated, or at odds with the manifest.
    """
    manifest = read_complete(path)
    shards = [_open(path, manifest, number) for number in range(manifest.n_shards)]
    return Latents(path=path, manifest=manifest, shards=shards)


def _open(folder: Path, manifest: Manifest, number: int) -> Any:
    """A shard mapped into memory; BadInput if it cannot be or is at odds with the manifest."""
    path = folder / shard_name(number)
    try:
        shard = safe_open(path, framework="pt")
        for key, wanted in _contents(manifest, number).items():
            actual = shard.get_slice(key).get_dtype(), shard.get_slice(key).get_shape()
            if actual != wanted:
                raise ValueError(f"its {key} is {actual}, not {wanted}")
        labels, last = shard.get_tensor("label"), len(manifest.class_names) - 1
        if not 0 <= labels.min() <= labels.max() <= last:
            raise ValueError(f"its labels are {labels.min()} to {labels.max()}, not 0 to {last}")
        return shard
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); delete it and {AGAIN}") from None


def _contents(manifest: Manifest, number: int) -> dict[str, tuple[str, list[int]]]:
    """Type and shape of each tensor that the shard must hold."""
    part, side = manifest.items(number), manifest.size
    count, kept = part.stop - part.start, manifest.pictures(number)
    latent = "F32", [count, *manifest.shape]
    return {
        "mean": latent,
        "std": latent,
        "label": ("I64", [count]),
        "picture": ("U8", [kept, side, side, 3]),
    }
