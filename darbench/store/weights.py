"""Weights that trials keep: a safetensors file for each checkpoint, beside the ledger."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from darbench.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "weights"


def weights_file(folder: Path, trial_id: str, step: int) -> Path:
    """The file of a trial's weights after a step, in the folder of a leaderboard."""
    return folder / FOLDER / f"{trial_id}-{step}.safetensors"


def newest_weights(folder: Path, trial_id: str) -> Path | None:
    """The file of a trial's weights after the most steps; None if none were kept."""
    kept = (folder / FOLDER).glob(f"{trial_id}-*.safetensors")
    return max(kept, key=lambda file: int(file.stem.rpartition("-")[2]), default=None)


def save_weights(weights: "Mapping[str, Tensor]", path: Path) -> None:
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_bytes(save({name: x.contiguous() for name, x in weights.items()}))
