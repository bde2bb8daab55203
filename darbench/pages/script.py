"""A page's own script, and the hash by which its content policy knows it from any other."""

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib import resources

_SHARED = (
    "inert.js",
    "read.js",
    "written.js",
    "tables.js",
    "copy.js",
    "figures.js",
    "lines.js",
    "export.js",
    "diagnosis.js",
    "depth_figure.js",
    "time_figure.js",
    "maps_figure.js",
)
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)


def script(package: str, parts: Iterable[str]) -> str:
    """What every page runs, and then the files `parts` of the package's scripts/, as one text.

    Lines of comment stay in the files: they are a seventh of the text, and no page runs them.
    """
    named = [*(("darbench.pages", part) for part in _SHARED), *((package, part) for part in parts)]
    files = (resources.files(room) / "scripts" / part for room, part in named)
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return _COMMENT.sub("", text)


def digest(text: str) -> str:
    """The source expression of a content policy that lets exactly this inline script run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
