"""Which tasks have FDr and class accuracy, and why others have none, in words; without torch."""

MOST_BYTES, MOST_CLASSES = 3 * 64 * 64, 100  # of what a classifier learns that is fitted here
CLASSIFIED = "by a classifier fitted to training images"
UNCLASSIFIED = (
    f"none: its classifier learns pictures of at most 64 x 64 pixels and 2 to {MOST_CLASSES} "
    "classes"
)


def is_classified(picture_bytes: int, classes: int) -> bool:
    """Whether samples of such pictures have a class accuracy."""
    return picture_bytes <= MOST_BYTES and 2 <= classes <= MOST_CLASSES


def has_fdr(images: int, features: int) -> bool:
    """Whether FDr is defined where both distances are of so many images."""
    return images > features


def fdr_text(images: int, features: int) -> str:
    """At how many images FDr is taken, or why it is not."""
    if has_fdr(images, features):
        return f"at {images:,} images of either set"
    return (
        f"none: samples and held-out images of the same labels are {images:,}, and {features:,} "
        "features take more"
    )
