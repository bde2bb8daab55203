"""An image file as RGB pixels, cropped to a square as in ADM (Dhariwal and Nichol,
arXiv:2105.05233; guided-diffusion's `center_crop_arr`)."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from darbench.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg")

# What Pillow raises for damaged files. Its readers check little before they compute: a damaged PNG
# alone ends as an OSError, SyntaxError ("broken PNG file"), ValueError ("Truncated IHDR chunk"),
# IndexError, or an AssertionError where a palette has gone; in other formats it is TypeError,
# KeyError, EOFError or struct.error as well.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


def read_square(path: Path, side: int) -> np.ndarray:
    """The middle of an image file, uint8 (side, side, 3); BadInput if it cannot be read."""
    try:
        with Image.open(path) as image:
            whole = image.convert("RGB")
    except UNREADABLE as error:
        raise BadInput(
            f"{path}: cannot be read as an image ({error}); put a whole copy in its place"
        ) from None
    return centre_crop(whole, side)


def centre_crop(image: Image.Image, side: int) -> np.ndarray:
    """The middle square of an RGB image, uint8 (side, side, 3), resized as ADM does: halved with a
    box filter while both sides stay twice too large, then bicubic."""
    while min(image.size) >= 2 * side:
        image = image.resize(tuple(x // 2 for x in image.size), Image.Resampling.BOX)
    scale = side / min(image.size)
    image = image.resize(tuple(round(x * scale) for x in image.size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]
