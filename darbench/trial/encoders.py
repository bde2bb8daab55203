"""Frozen encoders for representation alignment: x_1 (B, C, H, W) in [-1, 1] -> (B, E, h, w)."""

import copy
import inspect
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from darbench.errors import BadInput, Missing, unknown
from darbench.flow.repa import Encoder
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES, SmallCNN
from darbench.registry import ENCODERS
from darbench.registry.bundle import bundle_of
from darbench.registry.files import line_of
from darbench.trial.encoder_names import OTHERS, TIMM, need_pictures

SHIPPED = {cnn.name: cnn for cnn in (DIGITS, SHAPES, PHOTOS)}


def load_encoder(name: str | None, weights: str = "", size: int | None = None) -> Encoder:
    """Return an encoder that ships (a small extractor), `timm:NAME`, or a registered one.

    `timm:NAME` has its weights in a safetensors file and sees pictures of its own size, unless one
    is given. BadInput if there is no such encoder, or its weights do not fit; Missing if the
    weights, or timm, are not there.
    """
    if not name:  # resolving a task fills in its own
        raise BadInput(f"training.repa.encoder is empty; give {' or '.join([*SHIPPED, OTHERS])}")
    if name.startswith(TIMM):
        return TimmEncoder(name.removeprefix(TIMM), weights, size)
    if name in ENCODERS.names():
        return _registered(name, weights, size)
    if name not in SHIPPED:
        raise unknown("encoder", name, [*SHIPPED, *ENCODERS.names(), f"{TIMM}NAME"])
    for key, value in (("weights", weights), ("size", size)):
        if value:
            raise BadInput(f"training.repa.{key}={value}: {name} has its own, leave it out")
    return SmallEncoder(SHIPPED[name])


def try_encoder(encoder: Encoder, name: str, shape: tuple[int, int, int]) -> None:
    """Raise BadInput unless the encoder makes a feature map of a blank picture (C, H, W).

    It must do so here and on the meta device, where its FLOPs are counted.
    """
    if isinstance(encoder, nn.Module):
        encoder.eval().requires_grad_(False)
    where = f"training.repa.encoder={name}, of images of {_by(shape)}"
    with torch.no_grad():
        features = _called(name, where, lambda: encoder(torch.zeros(1, *shape)))
        if not isinstance(features, Tensor) or features.dim() != 4 or len(features) != 1:
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features)
            raise BadInput(f"{where}: must return (B, E, h, w) for B = 1, not {got}")
        twin = copy.deepcopy(encoder)
        twin = twin.to("meta") if isinstance(twin, nn.Module) else twin
        _called(
            name,
            f"{where}: must run on the meta device too, with its tensors as parameters or "
            "buffers of a Module",
            lambda: twin(torch.zeros(1, *shape, device="meta")),
        )


def _registered(name: str, weights: str, size: int | None) -> Encoder:
    """Return a registered encoder; random numbers that it draws are the same every time."""
    made = ENCODERS.get(name)
    where = f"training.repa.encoder={name}"
    if size:
        raise BadInput(f"{where}: sizes pictures itself, leave out training.repa.size")
    takes = _called(name, where, lambda: inspect.signature(made).parameters)
    if weights and "weights" not in takes:
        raise BadInput(f"{where}: has no argument `weights`, leave out training.repa.weights")
    if not isinstance(made, type) and takes.keys() - {"weights"}:
        return made
    given = {"weights": weights} if weights else {}
    if weights and (bundle := bundle_of(made)):
        bundle.apart.add(Path(os.path.abspath(weights)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _called(name, where, lambda: made(**given))


def _called(name: str, where: str, call: Callable[[], object]) -> object:
    """Return what the call returns; BadInput for what it raises, with the user's line."""
    try:
        return call()
    except BadInput:
        raise
    except Exception as error:
        own = name in ENCODERS.names()
        line = f"{line_of(error, Path(ENCODERS.file_of(name)))}: " if own else ""
        said = (str(error).strip() or "no message").splitlines()[0]
        raise BadInput(f"{where}: {line}{type(error).__name__}: {said}") from error


class SmallEncoder(nn.Module):
    """The convolutions of an extractor that ships: (B, C, H, W) -> (B, 64, H/4, W/4).

    BadInput for pictures of another shape than those it was trained on.
    """

    def __init__(self, cnn: SmallCNN):
        super().__init__()
        self.cnn = cnn
        self.conv = cnn.load_net().conv

    def forward(self, x: Tensor) -> Tensor:
        need_pictures(x.shape[1])
        given = tuple(x.shape[1:])
        if given != _shape(self.cnn):
            fit = [name for name, cnn in SHIPPED.items() if _shape(cnn) == given]
            raise BadInput(
                f"training.repa.encoder={self.cnn.name}: sees images of {_by(_shape(self.cnn))}, "
                f"not of {_by(given)}; for those give {' or '.join([*fit, OTHERS])}"
            )
        return self.conv(x)


def _shape(cnn: SmallCNN) -> tuple[int, int, int]:
    return cnn.channels, cnn.side, cnn.side


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


class TimmEncoder(nn.Module):
    """The last feature map of a timm network, with the normalisation it was made for.

    Pictures are resized to `size`, by default the network's own; REPA's paper gives DINOv2, whose
    own is 518, pictures of 224. Learnt positions are resampled by timm.
    """

    def __init__(self, name: str, weights: str, size: int | None = None):
        super().__init__()
        try:
            import timm
        except ImportError:
            raise Missing(f"{TIMM}{name} needs timm: pip install 'darbench[repa]'") from None
        if name not in timm.list_models():
            raise unknown("timm model", name, timm.list_models())
        self.net = timm.create_model(name, num_classes=0)
        _load(self.net, weights)
        config = timm.data.resolve_model_data_config(self.net)
        self.size = (size, size) if size else config["input_size"][1:]
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(config["std"]).view(1, -1, 1, 1))
        if size:
            self._resize(name, size)

    @torch.no_grad()
    def _resize(self, name: str, size: int) -> None:
        """Change the network's size; BadInput if it cannot see the whole of such a picture."""
        patch = max(getattr(getattr(self.net, "patch_embed", None), "patch_size", (1,)))
        if size % patch:
            raise BadInput(f"training.repa.size={size}: must be a multiple of {patch}, its patch")
        try:
            if hasattr(self.net, "set_input_size"):  # others take any size, or only their own
                self.net.set_input_size(img_size=self.size)
            self.eval()(torch.zeros(1, 3, *self.size))
        except Exception as error:
            said = str(error).strip() or type(error).__name__
            raise BadInput(f"training.repa.size={size}: {TIMM}{name}: {said}") from None

    def forward(self, x: Tensor) -> Tensor:
        need_pictures(x.shape[1])
        image = ((x + 1) / 2).expand(-1, 3, -1, -1)
        image = nn.functional.interpolate(image, self.size, mode="bicubic", antialias=True)
        (features,) = self.net.forward_intermediates(
            (image - self.mean) / self.std, indices=1, norm=True, intermediates_only=True
        )
        return features


def _load(net: nn.Module, weights: str) -> None:
    """Load all weights but the classifier's, which an encoder does not have."""
    given, path = f"training.repa.weights={weights!r}", Path(weights)
    if not weights:
        raise Missing(f"{given}: give the path of a .safetensors file")
    if path.suffix != ".safetensors":
        raise BadInput(f"{given}: give the path of a .safetensors file")
    if not path.exists():
        raise Missing(f"{given}: no such file")
    try:
        keys = net.load_state_dict(load_file(path), strict=False)
    except SafetensorError as error:
        raise BadInput(f"{given}: no safetensors file, or a damaged one: {error}") from None
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{given}: {str(error).splitlines()[-1].strip()}") from None
    classifier = net.pretrained_cfg.get("classifier") or "head"
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    strange = [key for key in keys.unexpected_keys if not key.startswith(heads)]
    if keys.missing_keys or strange:
        raise BadInput(f"{given}: missing {keys.missing_keys[:3]}, unexpected {strange[:3]}")
    for name, value in net.state_dict().items():
        if not torch.isfinite(value).all():  # every trial would diverge
            raise BadInput(f"{given}: {name} is not finite; take another copy")
