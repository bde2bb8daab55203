"""Texts that a page carries and does not read until they are wanted: gzip, written in base64.

They stand in inert script elements, and scripts/inert.js unpacks them. In a `data:` address a
browser would take many times longer over them.
"""

import base64
import gzip
from importlib import resources

_PLOTLY = "plotly-cartesian.min.js.gz"


def packed(text: str) -> str:
    """Pack a text; the same text is the same on any day, for no time is written into it."""
    return _written(gzip.compress(text.encode(), 9, mtime=0))


def plotly_js() -> str:
    """The code that draws the figures, packed as it lies in vendor/."""
    return _written((resources.files("darbench.board") / "vendor" / _PLOTLY).read_bytes())


def _written(data: bytes) -> str:
    return base64.b64encode(data).decode()
