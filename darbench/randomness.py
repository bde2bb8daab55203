"""Counter-based random streams: every random number is a function of (seed, stream, index).

Two variants of one pair id therefore see the same data order, noise, times and initial values,
for any device, batch split and number of workers (common random numbers). The numbers
come from Philox 4x64 (Salmon et al., 2011) on the CPU, keyed by a hash of the three coordinates.
"""

import hashlib
from functools import cache

import numpy as np

from darbench.errors import BadInput

DRAWN = "8aac67840cc0c719"  # hash of what `_draw` draws


def stream(seed: int | str, name: str, index: int | str = 0) -> np.random.Generator:
    """Return the generator for one index of the stream `name`: a step, an epoch or a sample.

    BadInput if this numpy draws other numbers than those behind all results so far: it keeps the
    bits of a generator, but may change how distributions are made of them (NEP 19).
    """
    if _draw() != DRAWN:
        raise BadInput(
            f"numpy {np.__version__} draws other random numbers than darbench's results rest on; "
            "install an earlier numpy"
        )
    return _generator(seed, name, index)


def key(seed: int | str, name: str, index: int | str) -> int:
    """Return 64 bits that seed another library's generator for one index of the stream `name`."""
    digest = hashlib.blake2b(f"{seed}/{name}/{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _generator(seed: int | str, name: str, index: int | str) -> np.random.Generator:
    digest = hashlib.blake2b(f"{seed}/{name}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


@cache
def _draw() -> str:
    """Return the hash of some numbers of every distribution in use.

    Normal numbers are hashed without their last digits, which depend on the processor.
    """
    drawn = _generator(0, "drawn", 0)
    normal = (drawn.standard_normal(1000, dtype=kind) for kind in (np.float32, np.float64))
    parts = [
        *(np.rint(1e4 * x).astype(int) for x in normal),
        drawn.permutation(1000),
        drawn.integers(1000, size=100),
        *(drawn.random(100, dtype=k) for k in ("f", "d")),
    ]
    return hashlib.blake2b(b"".join(x.tobytes() for x in parts), digest_size=8).hexdigest()


def normal_per_index(
    seed: int | str, name: str, indices: range, shape: tuple[int, ...]
) -> np.ndarray:
    """Return normal noise (len(indices), *shape), float32, each row keyed by its index."""
    out = np.empty((len(indices), *shape), dtype=np.float32)
    for row, index in enumerate(indices):
        out[row] = stream(seed, name, index).standard_normal(shape, dtype=np.float32)
    return out
