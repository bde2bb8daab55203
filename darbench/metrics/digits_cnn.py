"""The classifier whose features measure samples of the digits: architecture and loading.

Trained by train_digits_cnn.py on the training images alone; the record of that run lies beside the
weights as JSON.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn

NAME = "digits-cnn"
WEIGHTS = Path(__file__).parent / "weights"
FEATURES, CLASSES = 64, 10


class DigitsNet(nn.Module):
    """uint8 (B, 3, 8, 8), grey in three equal channels -> features (B, 64), logits (B, 10).

    Float32, no normalisation over the batch and no dropout: a sample's features depend on that
    sample alone. 45 162 parameters.
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

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        grey = images.float().mean(dim=1, keepdim=True) / 127.5 - 1
        features = self.penultimate(self.conv(grey))
        return features, self.classifier(features)


def read_record(folder: Path = WEIGHTS) -> dict:
    """What the training run wrote about the weights; its keys are listed in train_digits_cnn."""
    return json.loads((folder / f"{NAME}.json").read_text())


def load_net(folder: Path = WEIGHTS) -> DigitsNet:
    """The trained network in evaluation mode; ValueError if the weights are not the recorded."""
    path = folder / f"{NAME}.safetensors"
    data = path.read_bytes()
    found, expected = hashlib.sha256(data).hexdigest(), read_record(folder)["sha256"]
    if found != expected:
        raise ValueError(
            f"{path} has sha256 {found}, its record {NAME}.json says {expected}; "
            "restore both files from the same release of darbench"
        )
    net = DigitsNet()
    net.load_state_dict(load(data))
    return net.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(net: DigitsNet, images: Tensor, labels: Tensor) -> float:
    """Share of uint8 images (N, 3, 8, 8) whose largest logit is at the label (N,)."""
    return (net(images)[1].argmax(dim=1) == labels).double().mean().item()
