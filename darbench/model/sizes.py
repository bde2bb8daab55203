"""SiT sizes: depth in blocks, width, heads (SiT, arXiv:2401.08740, table 1; nano is ours)."""

from dataclasses import replace

from darbench.errors import BadInput, unknown
from darbench.records.settings import Model

SIZES: dict[str, tuple[int, int, int]] = {
    "nano": (12, 32, 4),  # deep and narrow: routing shows over depth, and a laptop trains it
    "S": (12, 384, 6),
    "B": (12, 768, 12),
    "L": (24, 1024, 16),
    "XL": (28, 1152, 16),
}


def resolve(model: Model) -> Model:
    """The model with depth, width and heads from its size; BadInput if they do not fit."""
    if model.size not in SIZES:
        raise unknown("model size", model.size, SIZES)
    depth, width, heads = SIZES[model.size]
    full = replace(
        model,
        depth=depth if model.depth is None else model.depth,
        width=width if model.width is None else model.width,
        heads=heads if model.heads is None else model.heads,
    )
    for name in ("depth", "width", "heads", "patch"):
        if getattr(full, name) < 1:
            raise BadInput(f"model.{name}={getattr(full, name)}: must be at least 1")
    if full.width % full.heads or full.width % 4:
        raise BadInput(
            f"model.width={full.width}: must be a multiple of 4 (2-D positions) "
            f"and of model.heads={full.heads}"
        )
    return full
