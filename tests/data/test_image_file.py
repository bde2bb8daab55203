import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from darbench.data import cifar10, image_file
from darbench.data.image_file import centre_crop
from darbench.errors import BadInput

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def saved(image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


PNG = saved(Image.fromarray(PIXELS))
OTHER = saved(Image.fromarray(255 - PIXELS))
FIRST = 8 + 25  # bytes before the data's chunk: the signature and IHDR


def from_folder(folder, png):
    (folder / "a.png").write_bytes(png)
    return image_file.read_square(folder / "a.png", 32)


def from_parquet(folder, png):
    for part, content in (("train", png), ("test", OTHER)):
        table = pl.DataFrame({"img": [{"bytes": content}], "label": [0]})
        table.write_parquet(folder / f"{part}.parquet")
    return cifar10.load(folder).train_images[0]


READERS = {
    from_folder: r"/a\.png: cannot be read as an image \(.+\); put a whole copy",
    from_parquet: r"/train\.parquet: row 0 holds no image of PNG bytes \(.+\)",
}


def changed(at, value):
    assert PNG[at] != value
    return PNG[:at] + bytes([value]) + PNG[at + 1 :]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "png",
    [changed(11, 12), changed(FIRST + 4, 0), changed(FIRST + 2, 1)],
    ids=["length of IHDR", "name of the data's chunk", "length of the data, so the next name"],
)
def test_a_damaged_png_is_named(tmp_path, read, png):
    assert np.array_equal(read(tmp_path, PNG), PIXELS)
    with pytest.raises(BadInput, match=READERS[read]):
        read(tmp_path, png)


@pytest.mark.parametrize("read", READERS)
def test_a_png_with_any_byte_changed_is_read_or_refused(tmp_path, read):
    rng, refused = np.random.default_rng(0), 0
    for at in [*range(64), *rng.integers(64, len(PNG), 140)]:
        try:
            assert read(tmp_path, changed(at, PNG[at] ^ 1 << rng.integers(8))).shape == (32, 32, 3)
        except BadInput:
            refused += 1
    assert refused > 100


def test_a_png_whose_palette_has_gone_is_named(tmp_path):
    png = saved(Image.fromarray(PIXELS).convert("P"), transparency=0)
    start, end = (png.index(name) - 4 for name in (b"PLTE", b"tRNS"))
    with pytest.raises(BadInput, match=r"/a\.png: cannot be read as an image"):
        from_folder(tmp_path, png[:start] + png[end:])


def test_an_image_that_has_the_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert np.array_equal(centre_crop(Image.fromarray(pixels), 32), pixels)


def test_the_crop_is_the_middle():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 45, 3), np.uint8)
    assert np.array_equal(centre_crop(Image.fromarray(pixels), 32), pixels[:, 6:38])


def halved(pixels):
    """Means of neighbouring columns, then rows, each rounded half up."""
    for axis in (1, 0):
        even, odd = (np.take(pixels, np.arange(i, pixels.shape[axis], 2), axis) for i in (0, 1))
        pixels = (even.astype(int) + odd + 1) // 2
    return pixels


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_multiple_by_a_power_of_two_is_halved_by_means_over_boxes(halvings):
    side = 16 * 2**halvings
    expected = pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    for _ in range(halvings):
        expected = halved(expected)
    assert np.array_equal(centre_crop(Image.fromarray(pixels), 16), expected)


def test_other_sizes_keep_a_linear_ramp_linear():
    """Box and bicubic filters both reproduce a ramp away from the border."""
    ramp = np.tile(np.arange(100, dtype=np.uint8), (90, 1))[..., None].repeat(3, axis=2)
    crop = centre_crop(Image.fromarray(ramp), 24).astype(float)
    assert crop.shape == (24, 24, 3)
    slope = np.diff(crop[12, 4:20, 0])
    assert slope.mean() == pytest.approx(90 / 24, abs=0.1)
