"""What every feature extractor is: a classifier whose layers have names and uses."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch_fidelity import FeatureExtractorBase


class Classifier(FeatureExtractorBase):
    """A feature extractor: uint8 (B, 3, H, W) -> float32 layers of `net`, each (B, values).

    A subclass says which layer answers which metric, which images it reads, and loads its network:
    a module from images to {layer: values} in which a sample's values depend on that sample alone.
    """

    layers: ClassVar[Mapping[str, str]]  # metric -> layer; "sfid" only if there is a spatial one
    widths: ClassVar[Mapping[str, int]]  # layer -> values
    side: ClassVar[int | None] = None  # side of the square images it reads; None: any size

    def __init__(self, name: str, features_list: list[str], **settings):
        super().__init__(name, features_list)
        # torch-fidelity passes all its settings; either of these would change what is measured.
        for setting in ("feature_extractor_weights_path", "feature_extractor_internal_dtype"):
            if settings.get(setting) is not None:
                raise ValueError(f"{name} has one set of weights, in float32: leave {setting} out")
        self.net, self.weights_sha256 = self.load_network()

    @staticmethod
    def load_network() -> tuple[nn.Module, str]:
        """The network and the SHA-256 of its weights."""
        raise NotImplementedError

    @classmethod
    def get_provided_features_list(cls) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cls.layers.values()))

    @classmethod
    def get_default_feature_layer_for_metric(cls, metric: str) -> str:
        return cls.layers[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return True

    @classmethod
    def get_dummy_input_for_compile(cls) -> Tensor:
        side = cls.side or 4
        return torch.zeros(1, 3, side, side, dtype=torch.uint8)

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        height, width = (self.side, self.side) if self.side else input.shape[-2:]
        if input.dtype != torch.uint8 or input.shape != (len(input), 3, height, width):
            raise ValueError(
                f"{self.name} reads uint8 images (B, 3, {self.side or 'H'}, {self.side or 'W'}), "
                f"not {input.dtype} {tuple(input.shape)}"
            )
        layers = self.net(input)
        return tuple(layers[layer] for layer in self.features_list)
