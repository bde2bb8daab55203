"""InceptionV3 with the weights of 2015, the features that FID and sFID are defined on.

The network is torch-fidelity's. Its weights are 96 MB and not shipped: `DARBENCH_INCEPTION` names
the file; without it, the file is expected where torch-fidelity itself would keep it. Only the
published file is accepted, for numbers in other features are not FID.
"""

import hashlib
import io
import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)

from darbench.errors import BadInput
from darbench.metrics.extractors.catalogue import INCEPTION, INCEPTION_SPATIAL
from darbench.metrics.extractors.classifier import Classifier
from darbench.metrics.extractors.shipped import read_record

NAME = INCEPTION.name
SHA256 = read_record(NAME)["sha256"]


class InceptionNet(nn.Module):
    """The network: uint8 (B, 3, H, W) of any size, resized to 299 -> "2048", "logits_unbiased",
    "spatial".

    The spatial layer, (B, 2023), is that of sFID (Nash et al. 2021, arXiv:2103.03841, in the form
    of Dhariwal and Nichol 2021, arXiv:2105.05233): the first 7 channels of TensorFlow's
    mixed_6/conv, 17 x 17, which are also the first of the block Mixed_6d.
    """

    def __init__(self, weights: bytes):
        super().__init__()
        # torch-fidelity would unpickle whatever the file holds. So it gets a pickle made here, of
        # the tensors that a restricted unpickler reads from the file.
        state = torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        copy = io.BytesIO()
        torch.save(state, copy)
        copy.seek(0)
        self.net = FeatureExtractorInceptionV3(
            NAME, ["2048", "logits_unbiased"], feature_extractor_weights_path=copy
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        seen: list[Tensor] = []
        hook = self.net.Mixed_6d.register_forward_hook(
            lambda _block, _inputs, out: seen.append(out[:, :INCEPTION_SPATIAL].flatten(1))
        )
        with hook:
            features, logits = self.net(images)
        return {"2048": features, "logits_unbiased": logits, "spatial": seen[0]}


class Inception(Classifier):
    """The extractor inception-v3-compat: InceptionNet with the published weights."""

    layers, widths = INCEPTION.layers, INCEPTION.widths

    @staticmethod
    def load_network() -> tuple[nn.Module, str]:
        return InceptionNet(read_weights(weights_path())).eval().requires_grad_(False), SHA256


def weights_path() -> Path:
    """Where the file of weights is expected; it need not exist."""
    given = os.environ.get("DARBENCH_INCEPTION")
    kept = Path(torch.hub.get_dir(), "checkpoints", URL_INCEPTION_V3.rpartition("/")[2])
    return Path(given) if given else kept


def read_weights(path: Path) -> bytes:
    """The bytes of the published file; BadInput if `path` holds no file or another one."""
    if not path.is_file():
        raise BadInput(
            f"no InceptionV3 weights at {path}; FID needs the file {URL_INCEPTION_V3}: put it "
            "there, or set DARBENCH_INCEPTION to its path, or measure FD in the features of "
            "another extractor (task.extractor)"
        )
    data = path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != SHA256:
        raise BadInput(
            f"{path} has sha256 {sha256}, the published InceptionV3 weights have {SHA256}, and "
            f"distances in other features are not FID; get the file from {URL_INCEPTION_V3}"
        )
    return data
