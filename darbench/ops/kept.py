"""Where compiled kernels are kept on disk, told without Numba."""

import hashlib
import os
from functools import cache
from pathlib import Path


@cache
def cache_folder() -> Path:
    """The folder for the kernels of these files of `ops`, beside them if that can be written."""
    ops = Path(__file__).parent
    state = hashlib.sha256()
    for source in sorted(ops.rglob("*.py")):
        state.update(source.read_bytes())
    writable = os.access(ops, os.W_OK)
    home = ops / "__pycache__" if writable else Path.home() / ".cache" / "darbench"
    return home / f"kernels-{state.hexdigest()[:12]}"


def kept(kernel: str) -> bool:
    """Whether a kernel has been compiled here before; its module and name: "narrow._mlp"."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or cache_folder())
    return any(folder.rglob(f"{kernel}-*.nbi"))
