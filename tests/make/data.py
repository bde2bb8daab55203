"""Small files in the published formats, for tests of tasks whose data do not ship."""

import gzip

import numpy as np
import torch
from PIL import Image

from darbench.data.encode import encode

SIZE, SHARD = 16, 8  # of images that become latents, and how many go into a file


def write_cifar10(folder, train=40, test=8):
    """CIFAR-10's binary version: a byte of label, then the red, green and blue plane."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    parts = {f"data_batch_{i}": np.arange(train)[i - 1 :: 5] for i in range(1, 6)}
    for name, items in (parts | {"test_batch": np.arange(test)}).items():
        records = rng.integers(0, 256, (len(items), 1 + 3 * 32 * 32), np.uint8)
        records[:, 0] = items % 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def write_fashion_mnist(folder, train=40, test=8):
    """Fashion-MNIST's idx files, packed: two zeros, type 8, dimensions, sizes, bytes."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (n, 28, 28), np.uint8)
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.arange(n, dtype=np.uint8) % 10)


def write_idx(path, values):
    head = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    data = head + values.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_images(folder, classes=3, each=10, size=(40, 36), seed=0):
    """Write images as PNG and JPEG, each of its own noise."""
    rng = np.random.default_rng(seed)
    for name in "abcdefgh"[:classes]:
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{'png' if i % 2 else 'JPG'}", "PNG")


def write_autoencoder(folder):
    """Write a tiny random AutoencoderKL that halves images once."""
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
    ).save_pretrained(folder)


def write_latents(folder, each=5):
    """Write latents as `darbench prepare imagenet` does, of two classes and 4 x 8 x 8."""
    images, vae = folder / "images", folder / "vae"
    rng = np.random.default_rng(0)
    for name in "ab":
        (images / name).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(images / name / f"{i}.png")
    write_autoencoder(vae)
    encode(images, vae, folder / "out", size=16, shard=8)
    return folder / "out"


def flip(path):
    """Flip the last bit of a file."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
