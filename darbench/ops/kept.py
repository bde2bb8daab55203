"""Where compiled kernels are kept on disk, told without Numba."""

import hashlib
import os
from functools import cache
from pathlib import Path


@cache
def cache_folder() -> Path:
    """The folder for the kernels of these files of `ops`: in NUMBA_CACHE_DIR where that is set,
    beside them if that can be written, or at home."""
    ops = Path(__file__).parent
    state = hashlib.sha256()
    for source in sorted(ops.rglob("*.py")):
        state.update(source.read_bytes())
    beside = (
        ops / "__pycache__" if os.access(ops, os.W_OK) else Path.home() / ".cache" / "darbench"
    )
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or beside)
    return folder / f"kernels-{state.hexdigest()[:12]}"


def kept(kernel: str) -> bool:
    """Whether a kernel has been compiled here before; its module and name: "mlp._mlp"."""
    return any(cache_folder().rglob(f"{kernel}-*.nbi"))
