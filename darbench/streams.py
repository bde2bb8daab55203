"""Counter-based random streams: every random number is a function of (seed, stream, index).

Two variants of one pair id therefore see the same data order, noise, times and initial values,
whatever the device, the batch split or the number of workers (common random numbers). The numbers
come from Philox 4x64 (Salmon et al., 2011) on the CPU, keyed by a hash of the three coordinates.
"""

import hashlib

import numpy as np


def stream(seed: int | str, name: str, index: int | str = 0) -> np.random.Generator:
    """The generator of one cell of the stream `name`; index is a step, an epoch or a sample."""
    digest = hashlib.blake2b(f"{seed}/{name}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def normal_per_index(
    seed: int | str, name: str, indices: range, shape: tuple[int, ...]
) -> np.ndarray:
    """Standard normal noise (len(indices), *shape), float32, each row keyed by its own index."""
    out = np.empty((len(indices), *shape), dtype=np.float32)
    for row, index in enumerate(indices):
        out[row] = stream(seed, name, index).standard_normal(shape, dtype=np.float32)
    return out
