"""The classifier whose features measure samples of the digits.

Trained by train_digits_cnn.py on the training images alone; the record of that run lies beside the
weights as JSON.
"""

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from darbench.metrics import shipped
from darbench.metrics.classifier import Classifier
from darbench.metrics.shipped import WEIGHTS

NAME = "digits-cnn"
FEATURES, CLASSES = 64, 10
SPATIAL = 4  # channels of the spatial layer


class DigitsNet(nn.Module):
    """uint8 (B, 3, 8, 8), grey in three equal channels -> "64", "logits" (B, 10), "spatial".

    The spatial layer is the first 4 channels of 4 x 4 after the second convolution, (B, 64): as
    many values as features, so both covariances need as many samples. Float32, no normalisation
    over the batch and no dropout: a sample's features depend on that sample alone. 45 162
    parameters.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),  # (B, 32, 8, 8)
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),  # (B, 32, 4, 4)
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, 2, 2)
            nn.SiLU(),
        )
        # Flattened, not pooled: the features keep where the strokes are.
        self.penultimate = nn.Sequential(nn.Flatten(), nn.Linear(256, FEATURES), nn.SiLU())
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        grey = images.float().mean(dim=1, keepdim=True) / 127.5 - 1
        middle = self.conv[:4](grey)
        features = self.penultimate(self.conv[4:](middle))
        return {
            "64": features,
            "logits": self.classifier(features),
            "spatial": middle[:, :SPATIAL].flatten(1),
        }


class DigitsCNN(Classifier):
    """The trained DigitsNet."""

    side = 8
    layers: ClassVar = {
        "fid": "64", "kid": "64", "prc": "64", "isc": "logits", "sfid": "spatial",
    }  # fmt: skip

    @staticmethod
    def load() -> tuple[nn.Module, str]:
        return load_net(), read_record()["sha256"]


def read_record(folder: Path = WEIGHTS) -> dict:
    """What the training run wrote about the weights; its keys are listed in train_digits_cnn."""
    return shipped.read_record(NAME, folder)


def load_net(folder: Path = WEIGHTS) -> DigitsNet:
    """The trained network in evaluation mode; ValueError if the weights are not the recorded."""
    return shipped.load(DigitsNet(), NAME, folder)


@torch.no_grad()
def accuracy(net: DigitsNet, images: Tensor, labels: Tensor) -> float:
    """Share of uint8 images (N, 3, 8, 8) whose largest logit is at the label (N,)."""
    return (net(images)["logits"].argmax(dim=1) == labels).double().mean().item()
