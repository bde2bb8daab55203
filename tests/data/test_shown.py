"""Pixels are held against numpy's arithmetic on what was written, in every reader of files."""

import io
import struct
import zlib

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageFile, features

from darbench.data import load
from darbench.data.shown import FIRST, ON_WHITE, SCALED, TURNED, Unreadable, shown, treatment

rng = np.random.default_rng(0)
SIDE = 32


def saved(image, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: np.ndarray, bits: int, colour: int, *chunks: bytes) -> bytes:
    """A PNG as its specification describes it; pixels are the bytes of its rows."""
    width = pixels.shape[1] * 8 // bits // {0: 1, 2: 3}[colour]
    header = struct.pack(">IIBBBBB", width, len(pixels), bits, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def exif(orientation) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def on_white(colour, alpha):
    part = alpha[..., None] / 255
    return part * colour + (1 - part) * 255


RGB = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
ALPHA = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
DEEP = rng.integers(0, 65536, (SIDE, SIDE), np.uint16)
DEEP[0, :3] = 0, 32768, 65535
GREY = RGB[..., :1].repeat(3, axis=2)
PALETTE = rng.integers(0, 256, (256, 3), np.uint8)
OPACITIES = rng.integers(0, 256, 256, np.uint8)


def of_palette(**options):
    image = Image.fromarray(RGB[..., 0], "P")
    image.putpalette(PALETTE.tobytes())
    return saved(image, **options)


# Of each: the file, and what it shows.
CASES = {
    "colour": (saved(Image.fromarray(RGB)), RGB),
    "grey": (saved(Image.fromarray(RGB[..., 0])), GREY),
    "16-bit grey": (
        png(DEEP.astype(">u2").view(np.uint8), 16, 0),
        np.rint(DEEP / 65535 * 255)[..., None].repeat(3, axis=2),
    ),
    "16-bit grey with a transparent value": (
        png(DEEP.astype(">u2").view(np.uint8), 16, 0, chunk(b"tRNS", struct.pack(">H", 32768))),
        np.where(DEEP == 32768, 255, np.rint(DEEP / 65535 * 255))[..., None].repeat(3, axis=2),
    ),
    "16-bit colour": (
        png(RGB.repeat(2, axis=2).reshape(SIDE, -1), 16, 2),  # v * 257 is v twice
        RGB,
    ),
    "alpha": (saved(Image.fromarray(np.dstack([RGB, ALPHA]))), on_white(RGB, ALPHA)),
    "nothing but hidden colour": (
        saved(Image.fromarray(np.dstack([RGB, 0 * ALPHA]))),
        np.full_like(RGB, 255),
    ),
    "grey and alpha": (
        saved(Image.fromarray(np.dstack([RGB[..., 0], ALPHA]), "LA")),
        on_white(GREY, ALPHA),
    ),
    "alpha in WebP": (
        saved(Image.fromarray(np.dstack([RGB, ALPHA])), "WEBP", lossless=True, exact=True),
        on_white(RGB, ALPHA),
    ),
    "palette": (of_palette(), PALETTE[RGB[..., 0]]),
    "palette with a transparent colour": (
        of_palette(transparency=7),
        np.where(RGB[..., :1] == 7, 255, PALETTE[RGB[..., 0]]),
    ),
    "palette of opacities": (
        of_palette(transparency=OPACITIES.tobytes()),
        on_white(PALETTE[RGB[..., 0]], OPACITIES[RGB[..., 0]]),
    ),
    "a transparent colour": (
        saved(Image.fromarray(RGB), transparency=tuple(RGB[3, 4].tolist())),
        np.where((RGB[3, 4] == RGB).all(2, keepdims=True), 255, RGB),
    ),
    "black and white": (saved(Image.fromarray(RGB[..., 0] > 99)), (GREY > 99) * 255),
    "CMYK": (
        saved(Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)), "JPEG", quality=100),
        np.full((SIDE, SIDE, 3), (255, 0, 0)),
    ),
    "turned": (saved(Image.fromarray(RGB), exif=exif(3)), RGB[::-1, ::-1]),
    "turned with alpha": (
        saved(Image.fromarray(np.dstack([RGB, ALPHA])), exif=exif(6)),
        np.rot90(on_white(RGB, ALPHA), -1),
    ),
    "several frames": (
        saved(Image.fromarray(RGB), save_all=True, append_images=[Image.new("RGB", (32, 32))]),
        RGB,
    ),
}


def from_bytes(folder, data):
    return np.asarray(shown(data))


def from_image_folder(folder, data):
    for i in range(10):
        (folder / f"{i % 2}").mkdir(exist_ok=True)
        (folder / f"{i % 2}" / f"{i}.png").write_bytes(data)
    loaded = load("image_folder_32", str(folder))
    x, _ = loaded.items(np.arange(9))
    assert np.array_equal(loaded.decode(x)[0], loaded.val_images[0])
    return loaded.reference_images[0]


def from_parquet(folder, data):
    other = saved(Image.fromarray(255 - RGB))
    for part, cell in (("train", data), ("test", other)):
        table = pl.DataFrame({"img": [{"bytes": cell}], "label": [0]})
        table.write_parquet(folder / f"{part}.parquet")
    return load("cifar10", str(folder)).train_images[0]


@pytest.mark.parametrize("read", [from_bytes, from_image_folder, from_parquet])
@pytest.mark.parametrize("case", CASES)
def test_a_file_becomes_what_it_shows(tmp_path, read, case):
    data, expected = CASES[case]
    pixels = read(tmp_path, data)
    assert pixels.shape == expected.shape and pixels.dtype == np.uint8
    mixed = "alpha" in case or "opacities" in case  # Pillow mixes colours in whole numbers
    assert np.abs(pixels - expected.astype(float)).max() <= (1 if mixed else 0)


TURNS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x),
    9: lambda x: x,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_every_orientation_of_exif_is_carried_out(orientation, kind):
    data = saved(Image.fromarray(RGB[:20]), kind, exif=exif(orientation), lossless=True)
    assert np.array_equal(np.asarray(shown(data)), TURNS[orientation](RGB[:20]))


def test_exif_of_a_jpeg_turns_it_and_damaged_exif_turns_nothing():
    top = np.zeros((SIDE, SIDE, 3), np.uint8)
    top[:16] = 255
    image = Image.fromarray(top)
    whole = saved(image, "JPEG", quality=100, exif=exif(3))
    assert np.asarray(shown(whole))[0].max() < 9 and np.asarray(shown(whole))[-1].min() > 246
    damaged = saved(image, "JPEG", quality=100, exif=b"Exif\0\0no header of TIFF")
    assert np.asarray(shown(damaged))[0].min() > 246


WHOLE = saved(Image.fromarray(RGB))
REFUSED = {
    "mode I in": saved(Image.fromarray(DEEP.astype(np.int32), "I"), "TIFF"),
    "mode F in TIFF": saved(Image.fromarray(DEEP.astype(np.float32), "F"), "TIFF"),
    "mode I;16 in TIFF": saved(Image.fromarray(DEEP), "TIFF"),
    "mode LAB in TIFF": saved(Image.fromarray(RGB, "LAB"), "TIFF"),
    "a transparent value beside L;2": png(
        RGB[:, :8, 0], 2, 0, chunk(b"tRNS", struct.pack(">H", 1))
    ),
    "a transparent value beside RGB;16B": png(
        RGB.repeat(2, axis=2).reshape(SIDE, -1), 16, 2, chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    ),
    "of no image format": b"<html>404 Not Found</html>",
    "^0 bytes": b"",
    "truncated": WHOLE[:1500],
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_certain_or_not_whole_is_refused_by_name(message):
    with pytest.raises(Unreadable, match=message):
        shown(REFUSED[message])


@pytest.mark.parametrize("message", [name for name in REFUSED if name != "truncated"])
def test_of_these_the_header_tells(message):
    with pytest.raises(Unreadable, match=message):
        treatment(REFUSED[message])


def test_no_package_can_have_the_missing_part_of_a_picture_filled(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(Unreadable, match="truncated"):
        shown(WHOLE[:1500])


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_whatever_a_decoder_raises_is_one_error():
    whole = saved(Image.fromarray(RGB), "AVIF")
    assert shown(whole).size == (SIDE, SIDE)
    for damaged, error in (
        (whole.replace(b"iloc", b"free"), RuntimeError),
        (whole[:-20], SyntaxError),
    ):
        with pytest.raises(error), Image.open(io.BytesIO(damaged)) as image:
            image.load()
        with pytest.raises(Unreadable, match="Failed to decode"):
            shown(damaged)


def test_what_is_done_is_told_by_the_header():
    told = {name: treatment(data) for name, (data, _) in CASES.items()}
    assert told["colour"] == told["palette"] == told["CMYK"] == told["16-bit colour"] == []
    assert told["turned with alpha"] == [TURNED, ON_WHITE]
    assert told["16-bit grey with a transparent value"] == [ON_WHITE, SCALED]
    assert told["several frames"] == [FIRST] and told["palette of opacities"] == [ON_WHITE]
