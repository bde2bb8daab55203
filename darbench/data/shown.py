"""What an image file shows, as 8-bit RGB; refused where that is not certain.

- It is turned as its EXIF says; EXIF that cannot be read turns nothing.
- What is transparent is shown on white.
- 16-bit grey in PNG is divided by 257, so that 65535 is white; 16-bit colour keeps its high byte.
- Of several frames the first is taken.
- Colour profiles and gamma are not applied: the numbers are taken as sRGB, as in ADM.
- A mode without a certain white, such as 32-bit integers or floats, is refused by name, and so is
  a damaged or truncated file.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.Image import Transpose

# Raise it when the same file gives other pixels: it is part of the fingerprint of image folders
# and of latents. 1: no EXIF, no transparency, 16-bit grey clipped to white.
READING = 2

TURNED, ON_WHITE = "turned as their EXIF says", "transparent, shown on white"
SCALED, FIRST = "of 16-bit grey, divided by 257", "of several frames, of which the first is taken"

_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_CERTAIN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
# Of these PNGs Pillow compares stretched or shortened values with the transparent one as stored.
_MISTAKEN = ("L;2", "L;4", "RGB;16B")


class Unreadable(ValueError):
    """The bytes are no whole image, or what they show is not certain; the message says why."""


def shown(data: bytes) -> Image.Image:
    """What the image in these bytes shows, as RGB; Unreadable says why it cannot be known."""
    with _opened(data) as image:
        _certain(image)
        image.load()
        turn = _TURNS.get(_orientation(image))
        flat = _flat(image)
        return flat if turn is None else flat.transpose(turn)


def treatment(data: bytes) -> list[str]:
    """What `shown` does beyond decoding, by the header alone; Unreadable where that is damaged or
    not certain."""
    with _opened(data) as image:
        _certain(image)
        done = {
            TURNED: _orientation(image) in _TURNS,
            ON_WHITE: image.has_transparency_data,
            SCALED: image.mode.startswith("I;16"),
            FIRST: getattr(image, "n_frames", 1) > 1,
        }
    return [what for what, is_done in done.items() if is_done]


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The image in these bytes, of which only the header is read; all errors are Unreadable."""
    # A package that was imported may have set it; the missing part of a picture would be grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data)) as image:
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError:  # its message is an address in memory
        raise Unreadable(f"{len(data):,} bytes of no image format that is known") from None
    except Exception as error:  # each decoder has its own, and Pillow's check little beforehand
        raise Unreadable(str(error) or type(error).__name__) from None


def _orientation(image: Image.Image) -> int:
    try:  # the method of the base class: that of PNG decodes the image to find a late chunk
        return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged block says nothing, and viewers show the image as it is stored
        return 1


def _certain(image: Image.Image) -> None:
    """Unreadable unless it is certain which value is black, which white, and which transparent."""
    if image.mode not in _CERTAIN and (image.mode, image.format) != ("I;16", "PNG"):
        raise Unreadable(
            f"mode {image.mode} in {image.format}, whose white is not certain; save it as 8-bit "
            "grey or RGB"
        )
    if image.mode in ("P", "PA") and image.palette is None:
        raise Unreadable("its palette has gone")
    stored = image.tile[0][3] if image.tile else ""
    if "transparency" in image.info and stored in _MISTAKEN:
        raise Unreadable(f"a transparent value beside {stored} pixels; save it with 8-bit alpha")


def _flat(image: Image.Image) -> Image.Image:
    """The decoded image as RGB, with white where it is transparent."""
    if image.mode == "I;16":
        values = np.asarray(image)
        grey = np.rint(values / 257)
        grey[values == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
