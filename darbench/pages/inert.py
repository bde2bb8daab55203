"""What a page carries and does not read until it is wanted: gzip, written in base 85.

It stands in inert script elements, and scripts/inert.js unpacks it. In a `data:` address a browser
would take many times longer over it.
"""

import base64
import gzip
from collections.abc import Sequence
from importlib import resources

import numpy as np

_PLOTLY = "plotly-cartesian.min.js.gz"
_MARKUP = str.maketrans("<>&", ",./")


def packed(text: str) -> str:
    """Pack a text; the same text is the same on any day, for no time is written into it."""
    return packed_bytes(text.encode())


def packed_numbers(values: Sequence[float | None]) -> str:
    """Pack numbers as float64, None as NaN: first the first bytes of all, then the second ones.

    Side by side the bytes that hold sign and exponent are nearly alike, so that this takes three
    quarters of what the shortest decimals take that are read as the same numbers.
    """
    planes = np.array(values, "<f8").view(np.uint8).reshape(-1, 8).T
    return packed_bytes(planes.tobytes())


def plotly_js() -> str:
    """The code that draws the figures, packed as it lies in vendor/."""
    return _written((resources.files("darbench.pages") / "vendor" / _PLOTLY).read_bytes())


def packed_bytes(data: bytes) -> str:
    return _written(gzip.compress(data, 9, mtime=0))


def _written(data: bytes) -> str:
    """Five characters for four bytes, where base64 takes 5.33; none of them is markup."""
    return base64.b85encode(data).decode().translate(_MARKUP)
