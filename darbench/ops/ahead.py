"""The trunk's kernels compiled by a process of its own, while a sweep gets ready on another core.

python -m darbench.ops.ahead
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from darbench.ops.kept import kept

LAST = "attention._attention_backward"  # of the kernels that are compiled here


@contextmanager
def compiling() -> Iterator[subprocess.Popen | None]:
    """Compile what is not kept on disk yet, within the context; yields the process, if any."""
    if find_spec("numba") is None or kept(LAST):
        yield None
        return
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],  # -P: nothing of the working directory
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the sweep
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Run each narrow sublayer once, forward and backward."""
    import torch

    from darbench.ops.sublayers import attention, mlp

    h, *rows = (torch.zeros(1, 16, 16, requires_grad=True), *torch.zeros(3, 1, 1, 16).unbind())
    qkv, linear = ((torch.zeros(n, 16), torch.zeros(n)) for n in (48, 16))
    for out in (mlp(h, rows, linear, linear), attention(h, rows, qkv, linear, 1)):
        out.sum().backward()


if __name__ == "__main__":
    main()
