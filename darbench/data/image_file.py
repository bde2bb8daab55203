"""An image file as RGB pixels, cropped to a square as in ADM (Dhariwal and Nichol,
arXiv:2105.05233; guided-diffusion's `center_crop_arr`)."""

from pathlib import Path

import numpy as np
from PIL import Image

from darbench.data.shown import Unreadable, shown
from darbench.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_PIXELS = 10**8  # of an image that was resized, before its middle is cut out


def read_square(path: Path, side: int) -> np.ndarray:
    """The middle of an image file, uint8 (side, side, 3); BadInput if it cannot be read."""
    try:
        return centre_crop(shown(path.read_bytes()), side)
    except (Unreadable, OSError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> BadInput:
    """The error for a file that is no whole image."""
    return BadInput(f"{path}: cannot be read as an image ({error}); put a whole copy in its place")


def centre_crop(image: Image.Image, side: int) -> np.ndarray:
    """The middle square of an RGB image, uint8 (side, side, 3), resized as ADM does: halved with a
    box filter while both sides stay twice too large, then bicubic."""
    while min(image.size) >= 2 * side:
        image = image.resize(tuple(x // 2 for x in image.size), Image.Resampling.BOX)
    scale = side / min(image.size)
    size = tuple(round(x * scale) for x in image.size)
    if size[0] * size[1] > MOST_PIXELS:
        raise Unreadable(f"{image.size[0]} x {image.size[1]} is too thin for a square of {side}")
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return pixels[top : top + side, left : left + side]
