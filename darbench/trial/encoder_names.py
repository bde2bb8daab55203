"""Names of encoders, and which tasks can have one; known without their networks."""

from darbench.errors import BadInput
from darbench.metrics.extractors.catalogue import shipped

TIMM = "timm:"
OTHERS = f"{TIMM}NAME with training.repa.weights=FILE, or one of your own"


def default_encoder(extractor: str) -> str:
    """The encoder of a task that is measured by this extractor: the same network."""
    if extractor not in shipped():
        raise BadInput(
            f"training.repa.encoder: a task measured by {extractor} has no default; give {OTHERS}"
        )
    return extractor


def need_pictures(channels: int) -> None:
    """BadInput if items of so many channels are no pictures."""
    if channels not in (1, 3):
        raise BadInput(
            f"training.objective=repa: an encoder sees images of 1 or 3 channels, not {channels}; "
            "latents are none, only tasks on pixels can be aligned"
        )
