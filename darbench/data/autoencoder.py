"""The image autoencoder behind latents: diffusers' AutoencoderKL in a local folder."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from darbench.errors import BadInput


def load(folder: Path, device: str = "cpu") -> Any:
    """The AutoencoderKL of a folder of config.json and safetensors; nothing is downloaded."""
    try:
        from diffusers import AutoencoderKL
    except ImportError:
        raise BadInput(
            "latents need diffusers, which is not installed: pip install 'darbench[imagenet]'"
        ) from None
    files(folder)
    try:
        vae = AutoencoderKL.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
        )
    except Exception as error:  # several libraries raise their own; the first line says why
        reason = str(error).partition("\n")[0]
        raise BadInput(f"{folder}: cannot be read as an AutoencoderKL: {reason}") from None
    return vae.to(device).eval().requires_grad_(False)


def files(folder: Path) -> list[Path]:
    """The configuration and weights in the folder; BadInput where one is missing."""
    files = [*folder.glob("config.json"), *sorted(folder.glob("*.safetensors"))]
    if {path.suffix for path in files} != {".json", ".safetensors"}:
        raise BadInput(
            f"{folder}: no autoencoder; give the folder that holds its config.json and "
            "*.safetensors, such as a copy of stabilityai/sd-vae-ft-ema"
        )
    return files


def fingerprint(folder: Path) -> str:
    """Hash of the configuration's and the weights' bytes."""
    digest = hashlib.sha256()
    for path in files(folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def copy(folder: Path, to: Path) -> None:
    """Copy the autoencoder, so that latents can be decoded wherever they are taken."""
    to.mkdir(parents=True, exist_ok=True)
    for path in files(folder):
        shutil.copyfile(path, to / path.name)
