"""The classifiers whose features measure samples of digits and shapes: architecture and loading.

Trained by train_small_cnn.py on training images alone; the record of that run lies beside the
weights as JSON.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights"
FEATURES, CLASSES = 64, 10


class SmallNet(nn.Module):
    """uint8 (B, 3, H, W), H = W = side -> features (B, 64), logits (B, 10).

    With one channel the images are grey in three equal channels. Float32, no normalisation over
    the batch and no dropout: a sample's features depend on that sample alone.
    """

    def __init__(self, channels: int, side: int):
        super().__init__()
        self.channels = channels
        self.conv = nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1),  # (B, 32, H, W)
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),  # (B, 32, H / 2, W / 2)
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),  # (B, 64, H / 4, W / 4)
            nn.SiLU(),
        )
        # Flattened, not pooled: the features keep where the strokes are.
        flat = 64 * (side // 4) ** 2
        self.penultimate = nn.Sequential(nn.Flatten(), nn.Linear(flat, FEATURES), nn.SiLU())
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = images.float()
        if self.channels == 1:
            pixels = pixels.mean(dim=1, keepdim=True)
        features = self.penultimate(self.conv(pixels / 127.5 - 1))
        return features, self.classifier(features)


@dataclass(frozen=True, kw_only=True)
class SmallCNN:
    """One trained classifier: what it was trained on, and its files."""

    name: str
    data: str  # a dataset of darbench.data
    channels: int
    side: int
    shift: int  # pixels by which training moves its images; what moves in is black

    def net(self) -> SmallNet:
        return SmallNet(self.channels, self.side)

    def read_record(self, folder: Path = WEIGHTS) -> dict:
        """What the training run wrote about the weights; see train_small_cnn for its keys."""
        return json.loads((folder / f"{self.name}.json").read_text())

    def load_net(self, folder: Path = WEIGHTS) -> SmallNet:
        """The trained network in evaluation mode; ValueError for weights that are not recorded."""
        path = folder / f"{self.name}.safetensors"
        data = path.read_bytes()
        found, expected = hashlib.sha256(data).hexdigest(), self.read_record(folder)["sha256"]
        if found != expected:
            raise ValueError(
                f"{path} has sha256 {found}, its record {self.name}.json says {expected}; "
                "restore both files from the same release of darbench"
            )
        net = self.net()
        net.load_state_dict(load(data))
        return net.eval().requires_grad_(False)


DIGITS = SmallCNN(name="digits-cnn", data="digits", channels=1, side=8, shift=1)
SHAPES = SmallCNN(name="shapes-cnn", data="shapes", channels=3, side=16, shift=0)


@torch.no_grad()
def accuracy(net: SmallNet, images: Tensor, labels: Tensor) -> float:
    """Share of uint8 images (N, 3, H, W) whose largest logit is at the label (N,)."""
    return (net(images)[1].argmax(dim=1) == labels).double().mean().item()
