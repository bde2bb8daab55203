"""Features of a reference set in the folder of `darbench.cache`, so that a sweep's workers compute
them once."""

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from darbench.cache import folder
from darbench.files import replacing
from darbench.metrics.extractors.extractor import BATCH, extract, extractor
from darbench.records.canonical import content_hash

Features = dict[str, Tensor]  # layer -> float32 (N, values)


def features_of(name: str, images: np.ndarray) -> Features:
    """The features that `extract` gives with the extractor of that name, read from disk if they
    were computed before."""
    net = extractor(name)
    path = folder() / f"{name}-{_key(name, net.weights_sha256, images)}.safetensors"
    features = _read(path)
    if features is None:
        features = extract(net, images)
        with suppress(OSError):  # a trial goes on with a full or read-only disk
            _write(path, features)
    return features


def _key(name: str, weights: str, images: np.ndarray) -> str:
    """Hash of all that decides the bits, including the version of torch and the kind of
    processor."""
    digest = hashlib.sha256(np.ascontiguousarray(images)).hexdigest()
    arithmetic = [torch.__version__, torch.backends.cpu.get_cpu_capability(), BATCH]
    return content_hash([name, weights, list(images.shape), digest, arithmetic])


def _read(path: Path) -> Features | None:
    """The features in a file; None if there is no such file or it is not as it was written."""
    try:
        with safe_open(path, "pt") as file:
            features = {layer: file.get_tensor(layer) for layer in file.keys()}  # noqa: SIM118
            recorded = (file.metadata() or {}).get("checksum")
    except (OSError, SafetensorError):
        return None
    return features if recorded == _checksum(path.name, features) else None


def _write(path: Path, features: Features) -> None:
    """Write the file whole or not at all: other processes may be reading and writing it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(save(features, {"checksum": _checksum(path.name, features)}))


def _checksum(name: str, features: Features) -> str:
    """Hash of the features and the file's name: a file copied over another is refused."""
    digest = hashlib.sha256(name.encode())
    for layer, values in sorted(features.items()):
        digest.update(f"{layer} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.contiguous().numpy())
    return digest.hexdigest()
