"""The page's own script, and the hash by which its content policy knows it from any other."""

import base64
import hashlib
from importlib import resources

_PARTS = (
    "inert.js",
    "read.js",
    "written.js",
    "tables.js",
    "column_cells.js",
    "ranking_rows.js",
    "ranking.js",
    "state.js",
    "tools.js",
    "copies.js",
    "marks.js",
    "look.js",
    "figures.js",
    "curves.js",
    "front.js",
    "noise.js",
    "front_figure.js",
    "target.js",
    "effects_figure.js",
    "ranks_figure.js",
    "target_figure.js",
    "regimes_figure.js",
    "export.js",
    "entries.js",
    "student.js",
    "effects.js",
    "comparison.js",
    "scores.js",
    "board.js",
    "memory.js",
    "reload.js",
)


def script() -> str:
    """The files of scripts/ as one text."""
    folder = resources.files("darbench.board") / "scripts"
    return "\n".join((folder / part).read_text(encoding="utf-8") for part in _PARTS)


def digest(text: str) -> str:
    """The source expression of a content policy that lets exactly this inline script run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
