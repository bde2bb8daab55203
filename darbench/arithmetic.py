"""How a trial computes, so that the same trial gives the same numbers wherever it runs.

ARITHMETIC is the version of the kernels in darbench.ops, those of the trunk among them. Raise it
when a change to them moves a bit of what they compute: rows name it, pairs of different
arithmetic are compared and marked, and nothing runs again for it. tests/test_arithmetic.py tells.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

ARITHMETIC = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """torch has one thread on the CPU: the order of a sum or a convolution depends on how many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def no_tf32() -> None:
    """Convolutions on a GPU keep all of float32, of which TF32 keeps eleven bits."""
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def plain_arithmetic(device: str) -> Iterator[None]:
    """A trial computes with one thread on the CPU, in the metrics' linear algebra too, and without
    TF32 on a GPU.

    Small models gain nothing from more threads, and rows of either device differ by float32's
    rounding alone.
    """
    if device == "cpu":
        with one_thread(), threadpool_limits(1, user_api="blas"):
            yield
        return
    before = torch.backends.cudnn.allow_tf32
    no_tf32()
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
