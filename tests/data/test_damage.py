import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from darbench.data import cifar10, image_folder
from darbench.errors import BadInput

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


def saved(image, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


PNG = saved(Image.fromarray(PIXELS))
FIRST = 8 + 25  # bytes before the data's chunk: the signature and IHDR


def from_folder(folder, png):
    (folder / "a.png").write_bytes(png)
    return image_folder.picture(folder / "a.png", 32)


def from_parquet(folder, png):
    table = pl.DataFrame({"img": [{"bytes": png}], "label": [0]})
    for part in ("train", "test"):
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
