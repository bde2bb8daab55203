"""The image autoencoder behind latents: diffusers' AutoencoderKL in a local folder.

Of its configuration scaling_factor and shift_factor are used here, the architecture by diffusers;
a few fields are known to matter to no latent in float32, and any other is refused by name.
"""

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import torch

from darbench.errors import BadInput

ARCHITECTURE = {
    *("in_channels", "out_channels", "latent_channels", "block_out_channels", "layers_per_block"),
    *("down_block_types", "up_block_types", "act_fn", "norm_num_groups"),
    *("use_quant_conv", "use_post_quant_conv", "mid_block_add_attention"),
}
FACTORS = {"scaling_factor", "shift_factor"}
# Where it comes from; the size of the images it was trained on, which diffusers takes for tiles
# alone; and whether half precision is too narrow for it.
WITHOUT_EFFECT = {"_class_name", "_diffusers_version", "_name_or_path", "sample_size"}
WITHOUT_EFFECT |= {"force_upcast"}


def load(folder: Path, device: str = "cpu") -> Any:
    """The AutoencoderKL of a folder of config.json and safetensors; nothing is downloaded.

    BadInput if a field of its configuration is not known, or if the weights are not all there.
    """
    try:
        from diffusers import AutoencoderKL
        from diffusers.utils import logging
    except ImportError:
        raise BadInput(
            "latents need diffusers, which is not installed: pip install 'darbench[imagenet]'"
        ) from None
    files(folder)
    _check_config(folder)
    logging.set_verbosity_error()  # what it would warn of is refused below
    try:
        vae, found = AutoencoderKL.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except Exception as error:  # several libraries raise their own; the first line says why
        reason = str(error).partition("\n")[0]
        raise BadInput(f"{folder}: cannot be read as an AutoencoderKL: {reason}") from None
    _check_weights(folder, vae, found)
    return vae.to(device).eval().requires_grad_(False)


def shift(vae: Any) -> float:
    """What is subtracted from latents before they are scaled, and added again to decode them."""
    return vae.config.shift_factor or 0.0


def not_finite(vae: Any) -> list[str]:
    """The names of its weights that are not finite."""
    return [name for name, p in vae.named_parameters() if not torch.isfinite(p).all()]


def _check_config(folder: Path) -> None:
    """BadInput names a field of the configuration that is not known, or whose value cannot be."""
    path = folder / "config.json"
    try:
        config = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as an AutoencoderKL: {error}") from None
    wanted = {"_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3}
    for name, value in wanted.items():
        if config.get(name, value) != value:
            raise BadInput(f"{path}: {name} is {config[name]}; it must be {value}")
    for name in FACTORS & config.keys():
        if not _factor(name, config[name]):
            raise BadInput(f"{path}: {name} is {config[name]}; no latents can be made with it")
    for name in sorted(config.keys() - ARCHITECTURE - FACTORS - WITHOUT_EFFECT):
        if config[name] is not None:
            raise BadInput(
                f"{path}: {name} is {config[name]}, which darbench does not apply: latents would "
                "not be what this autoencoder's models learn from; give another --vae"
            )


def _factor(name: str, value: Any) -> bool:
    if value is None:
        return name == "shift_factor"
    number = isinstance(value, int | float) and math.isfinite(value)
    return number and (value > 0 or name == "shift_factor")


def _check_weights(folder: Path, vae: Any, found: dict[str, Any]) -> None:
    """BadInput unless the files hold all weights and no other, and the decoder's are finite; the
    encoder's show in the first shard, which names the picture."""
    for what in ("missing_keys", "mismatched_keys", "unexpected_keys"):
        if found[what]:
            first = sorted(map(str, found[what]))[0]
            raise BadInput(
                f"{folder}: {len(found[what])} {what.replace('_', ' ')} such as {first}: its "
                "weights and its config.json do not fit one another; copy both again"
            )
    if wrong := [name for name in not_finite(vae) if "encoder." not in name]:
        raise BadInput(f"{folder}: weight {wrong[0]} is not finite; copy the autoencoder again")


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
