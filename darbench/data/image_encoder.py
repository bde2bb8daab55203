"""The encoding of one shard: images to pictures and the posteriors of an autoencoder."""

import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from darbench.data import autoencoder
from darbench.data.manifest import shard_name
from darbench.data.pixels import to_items
from darbench.data.work import KEPT, Work, writing
from darbench.errors import BadInput
from darbench.files import replacing

BATCH = 8


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
        with writing(work.out, KEPT), replacing(work.out / name) as partial:
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
