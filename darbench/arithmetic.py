"""Settings of arithmetic with which a trial gives the same numbers wherever it runs.

ARITHMETIC is the version of the kernels in darbench.ops, those of the trunk among them. Raise it
when a change to them moves a bit of what they compute: rows name it, pairs of different
arithmetic are compared and marked, and nothing is run again. tests/test_arithmetic.py notices.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

ARITHMETIC = 2


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread of torch on the CPU: sums and convolutions depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def no_tf32() -> None:
    """Disable TF32 on a GPU, in which convolutions round a float32 to eleven bits."""
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def plain_arithmetic(device: str) -> Iterator[None]:
    """Use one thread on the CPU, and no TF32 on a GPU.

    Rows of the two devices then differ only by float32's rounding. The one thread is also for the
    metrics' linear algebra; small models gain nothing from more.
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
