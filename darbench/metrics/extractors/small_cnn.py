"""The networks whose features measure samples of the data that ship: architecture and loading.

Trained by train_small_cnn.py on training images alone; the record of that run lies beside the
weights as JSON.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darbench.metrics.extractors import shipped
from darbench.metrics.extractors.catalogue import (
    DIGITS_CNN,
    FEATURES,
    PHOTOS_CNN,
    SHAPES_CNN,
    SPATIAL,
    ExtractorKind,
)
from darbench.metrics.extractors.shipped import WEIGHTS


class SmallNet(nn.Module):
    """The network: uint8 (B, 3, H, H) -> "64", "logits" (B, classes), "spatial".

    Images of another side than its own are resized by the mean of the pixels under each new one:
    smaller ones by blocks, larger ones by repetition, which these networks know best. With one
    channel the images are grey in three equal channels. The spatial layer is the first 4 channels
    of side / 2 x side / 2 after the second convolution. Float32, no normalisation over the batch
    and no dropout: a sample's features depend on that sample alone.
    """

    def __init__(self, channels: int, side: int, classes: int):
        super().__init__()
        self.channels, self.side = channels, side
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
        self.classifier = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        pixels = images.float()
        if pixels.shape[-1] != self.side:
            pixels = F.adaptive_avg_pool2d(pixels, self.side)
        if self.channels == 1:
            pixels = pixels.mean(dim=1, keepdim=True)
        middle = self.conv[:4](pixels / 127.5 - 1)
        features = self.penultimate(self.conv[4:](middle))
        return {
            "64": features,
            "logits": self.classifier(features),
            "spatial": middle[:, :SPATIAL].flatten(1),
        }


@dataclass(frozen=True, kw_only=True)
class SmallCNN:
    """One trained classifier: what it was trained on, and its files."""

    kind: ExtractorKind
    data: str  # a dataset of darbench.data
    channels: int
    side: int  # of the images it was trained on
    shift: int  # pixels by which training moves its images; what moves in is black

    @property
    def name(self) -> str:
        return self.kind.name

    def net(self) -> SmallNet:
        """The network without its trained weights."""
        return SmallNet(self.channels, self.side, self.kind.widths["logits"])

    def read_record(self, folder: Path = WEIGHTS) -> dict:
        """What the training run wrote about the weights; see train_small_cnn for its keys."""
        return shipped.read_record(self.name, folder)

    def load_net(self, folder: Path = WEIGHTS) -> SmallNet:
        """The trained network in evaluation mode; ValueError if its weights are not the recorded
        ones."""
        return shipped.load_weights(self.net(), self.name, folder)


DIGITS = SmallCNN(kind=DIGITS_CNN, data="digits", channels=1, side=8, shift=1)
SHAPES = SmallCNN(kind=SHAPES_CNN, data="shapes", channels=3, side=16, shift=0)
PHOTOS = SmallCNN(kind=PHOTOS_CNN, data="photos", channels=3, side=16, shift=0)


@torch.no_grad()
def accuracy(net: SmallNet, images: Tensor, labels: Tensor) -> float:
    """Share of uint8 images (N, 3, H, W) whose largest logit is at the label (N,)."""
    return (net(images)["logits"].argmax(dim=1) == labels).double().mean().item()
