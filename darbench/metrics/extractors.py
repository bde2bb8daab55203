"""Feature extractors, registered with torch-fidelity under their names, and the feature pass.

Whoever has torch-fidelity can check our numbers: after importing this module, its
`calculate_metrics(feature_extractor="digits-cnn", ...)` finds the extractor by name.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorBase, register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from darbench.errors import unknown
from darbench.metrics.small_cnn import DIGITS, SHAPES, SmallCNN

# A convolution may round differently for another batch size; one size leaves nothing to vary.
BATCH = 64


class DigitsCNN(FeatureExtractorBase):
    """A network of small_cnn.py: uint8 (B, 3, H, W) -> float32 features "64" and "logits"."""

    cnn: SmallCNN = DIGITS

    def __init__(self, name: str, features_list: list[str], **settings):
        super().__init__(name, features_list)
        # torch-fidelity passes all its settings; these two would change what is measured.
        for setting in ("feature_extractor_weights_path", "feature_extractor_internal_dtype"):
            if settings.get(setting) is not None:
                raise ValueError(f"{name} has one set of weights, in float32: leave {setting} out")
        self.net = self.cnn.load_net()
        self.weights_sha256: str = self.cnn.read_record()["sha256"]

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("64", "logits")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return {"isc": "logits", "fid": "64", "kid": "64", "prc": "64"}[metric]

    @staticmethod
    def can_be_compiled() -> bool:
        return True

    @classmethod
    def get_dummy_input_for_compile(cls) -> Tensor:
        return torch.zeros(1, 3, cls.cnn.side, cls.cnn.side, dtype=torch.uint8)

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        side = self.cnn.side
        if input.dtype != torch.uint8 or input.shape[1:] != (3, side, side):
            raise ValueError(
                f"{self.name} reads uint8 images (B, 3, {side}, {side}), "
                f"not {input.dtype} {tuple(input.shape)}"
            )
        features, logits = self.net(input)
        provided = {"64": features, "logits": logits}
        return tuple(provided[layer] for layer in self.features_list)


class ShapesCNN(DigitsCNN):
    cnn = SHAPES


_EXTRACTORS = {DIGITS.name: DigitsCNN, SHAPES.name: ShapesCNN}

for _name, _class in _EXTRACTORS.items():
    # torch-fidelity refuses a second registration, which a reload or a reused worker would make.
    if _name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(_name, _class)


@cache
def extractor(name: str) -> FeatureExtractorBase:
    """The extractor of that name with all its layers, on the CPU; BadInput if there is none.

    It carries `weights_sha256`. It stays on the CPU so that a trial on a GPU is measured in the
    same arithmetic as one without.
    """
    if name not in _EXTRACTORS:
        raise unknown("feature extractor", name, _EXTRACTORS)
    chosen = _EXTRACTORS[name]
    return chosen(name, list(chosen.get_provided_features_list())).eval().requires_grad_(False)


@torch.no_grad()
def extract(extractor: FeatureExtractorBase, images: np.ndarray) -> dict[str, Tensor]:
    """Layer name -> float32 features (N, ...) of uint8 images (N, H, W, C), C = 1 or 3.

    Always runs zero-padded batches of BATCH images, so an image's features are the same bits
    whichever images are passed along with it.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(
            f"images must be uint8 (N, H, W, C) with C = 1 or 3, not {images.dtype} {images.shape}"
        )
    if len(images) == 0:
        raise ValueError("no images: features need at least one")
    rgb = torch.from_numpy(images).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    parts = []
    for part in rgb.split(BATCH):
        padded = torch.zeros(BATCH, *rgb.shape[1:], dtype=torch.uint8)
        padded[: len(part)] = part
        features = extractor.convert_features_tuple_to_dict(extractor(padded))
        parts.append({layer: value[: len(part)] for layer, value in features.items()})
    return {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}
