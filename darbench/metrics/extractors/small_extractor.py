"""The small networks as feature extractors."""

from typing import ClassVar

from torch import Tensor, nn

from darbench.arithmetic import one_thread
from darbench.metrics.extractors.catalogue import DIGITS_CNN, PHOTOS_CNN, SHAPES_CNN
from darbench.metrics.extractors.classifier import Classifier
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES, SmallCNN


class SmallExtractor(Classifier):
    """A trained small network; a subclass says which."""

    cnn: ClassVar[SmallCNN]

    @classmethod
    def load_network(cls) -> tuple[nn.Module, str]:
        return cls.cnn.load_net(), cls.cnn.read_record()["sha256"]

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        with one_thread():  # features of reference and samples may come from different processes
            return super().forward(input)


class DigitsCNN(SmallExtractor):
    """The extractor digits-cnn."""

    cnn = DIGITS
    layers, widths, side = DIGITS_CNN.layers, DIGITS_CNN.widths, DIGITS_CNN.side


class ShapesCNN(SmallExtractor):
    """The extractor shapes-cnn."""

    cnn = SHAPES
    layers, widths, side = SHAPES_CNN.layers, SHAPES_CNN.widths, SHAPES_CNN.side


class PhotosCNN(SmallExtractor):
    """The extractor photos-cnn."""

    cnn = PHOTOS
    layers, widths, side = PHOTOS_CNN.layers, PHOTOS_CNN.widths, PHOTOS_CNN.side
