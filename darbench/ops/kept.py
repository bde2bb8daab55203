"""Where compiled kernels are kept on disk, told without Numba."""

import hashlib
import os
from functools import cache
from pathlib import Path

OPS = Path(__file__).parent


def cache_folder() -> Path:
    """The folder for the kernels of these files of `ops`: in NUMBA_CACHE_DIR where that is set,
    beside them if that can be written, or at home."""
    beside = OPS / "__pycache__" if os.access(OPS, os.W_OK) else Path.home() / ".cache/darbench"
    return Path(os.environ.get("NUMBA_CACHE_DIR") or beside) / f"kernels-{_state()}"


@cache
def _state() -> str:
    state = hashlib.sha256()
    for source in sorted(OPS.rglob("*.py")):
        state.update(source.read_bytes())
    return state.hexdigest()[:12]


def kept(kernel: str) -> bool:
    """Whether a kernel has been compiled here before; its module and name: "mlp._mlp"."""
    return any(cache_folder().rglob(f"{kernel}-*.nbi"))
