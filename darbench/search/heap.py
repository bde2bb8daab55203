"""Memory that a trial has freed, given back to the system before the next one starts."""

import ctypes

from darbench.ops.native import memory


def trim() -> None:
    """Return the free pages of malloc's heap to the system, where malloc is glibc's.

    It keeps them otherwise, below whatever is still in use: a worker would hold the most that any
    of its trials needed, and a little more after each. So would the memory that kernels lend.
    """
    memory.release()
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)
