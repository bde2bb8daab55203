"""Frozen encoders for representation alignment: x_1 (B, C, H, W) in [-1, 1] -> (B, E, h, w)."""

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from darbench.errors import BadInput, unknown
from darbench.metrics.small_cnn import DIGITS

TIMM = "timm:"


def load_encoder(name: str, weights: str = "") -> nn.Module:
    """`digits-cnn`, which ships, or `timm:NAME` with its weights in a safetensors file.

    BadInput if there is no such encoder, or its weights do not fit.
    """
    if name.startswith(TIMM):
        return TimmEncoder(name.removeprefix(TIMM), weights)
    if name != DIGITS.name:
        raise unknown("encoder", name, [DIGITS.name, f"{TIMM}NAME"])
    if weights:
        raise BadInput(f"training.repa.weights={weights}: {name} has its own, leave them out")
    return DigitsEncoder()


class DigitsEncoder(nn.Module):
    """The convolutions of the network that measures digits: (B, C, H, W) -> (B, 64, H/4, W/4)."""

    def __init__(self):
        super().__init__()
        self.conv = DIGITS.load_net().conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(_image(x).mean(1, keepdim=True))


class TimmEncoder(nn.Module):
    """The last feature map of a timm network, with the size and normalisation it was made for."""

    def __init__(self, name: str, weights: str):
        super().__init__()
        try:
            import timm
        except ImportError:
            raise BadInput(f"{TIMM}{name} needs timm: pip install darbench[repa]") from None
        if name not in timm.list_models():
            raise unknown("timm model", name, timm.list_models())
        self.net = timm.create_model(name, num_classes=0)
        _load(self.net, weights)
        config = timm.data.resolve_model_data_config(self.net)
        self.size = config["input_size"][1:]
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(config["std"]).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        image = ((_image(x) + 1) / 2).expand(-1, 3, -1, -1)
        image = nn.functional.interpolate(image, self.size, mode="bicubic", antialias=True)
        (features,) = self.net.forward_intermediates(
            (image - self.mean) / self.std, indices=1, norm=True, intermediates_only=True
        )
        return features


def _image(x: Tensor) -> Tensor:
    if x.shape[1] not in (1, 3):
        raise ValueError(
            f"training.repa: an encoder sees images of 1 or 3 channels, not {x.shape[1]}; "
            "latents are none"
        )
    return x


def _load(net: nn.Module, weights: str) -> None:
    """Strictly, but for the classifier, which an encoder does not have."""
    given = f"training.repa.weights={weights!r}"
    if not weights.endswith(".safetensors"):
        raise BadInput(f"{given}: give the path of a .safetensors file")
    try:
        found = net.load_state_dict(load_file(weights), strict=False)
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{given}: {str(error).splitlines()[-1].strip()}") from None
    classifier = net.pretrained_cfg.get("classifier") or "head"
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    strange = [key for key in found.unexpected_keys if not key.startswith(heads)]
    if found.missing_keys or strange:
        raise BadInput(f"{given}: missing {found.missing_keys[:3]}, unexpected {strange[:3]}")
