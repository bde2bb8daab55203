"""Names of encoders, and which tasks can have one; the networks are not loaded."""

from darbench.errors import BadInput
from darbench.metrics.extractors.catalogue import shipped

TIMM = "timm:"
OTHERS = f"{TIMM}NAME with training.repa.weights=FILE, or one of your own"


def default_encoder(extractor: str) -> str:
    """Return the encoder of a task with this extractor: the same network."""
    if extractor not in shipped():
        raise BadInput(
            f"training.repa.encoder: a task measured by {extractor} has no default; give {OTHERS}"
        )
    return extractor


def need_pictures(channels: int) -> None:
    """Raise BadInput if items with so many channels are not pictures."""
    if channels not in (1, 3):
        raise BadInput(
            f"training.objective=repa: an encoder sees images of 1 or 3 channels, not {channels}; "
            "latents are none, only tasks on pixels can be aligned"
        )
