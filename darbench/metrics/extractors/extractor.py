"""Feature extractors, registered with torch-fidelity under their names, and their features.

Whoever has torch-fidelity can check our numbers: after importing this module, its
`calculate_metrics(feature_extractor="digits-cnn", ...)` finds the extractor by name.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch_fidelity import register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from darbench.metrics.extractors import inception, lite0
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.extractors.classifier import Classifier
from darbench.metrics.extractors.small_cnn import DIGITS, PHOTOS, SHAPES
from darbench.metrics.extractors.small_extractor import DigitsCNN, PhotosCNN, ShapesCNN
from darbench.records.rules import FEATURE_BATCH as BATCH

_EXTRACTORS: dict[str, type[Classifier]] = {
    DIGITS.name: DigitsCNN,
    SHAPES.name: ShapesCNN,
    PHOTOS.name: PhotosCNN,
    inception.NAME: inception.Inception,
    lite0.NAME: lite0.Lite0,
}

for _name, _class in _EXTRACTORS.items():
    # torch-fidelity refuses a second registration, which a reload or a reused worker would make,
    # and it has an inception-v3-compat of its own, which gives the same features.
    if _name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(_name, _class)


@cache
def extractor(name: str) -> Classifier:
    """The extractor of that name with all its layers and `weights_sha256`, on the CPU.

    It stays on the CPU so that a trial on a GPU is measured in the same arithmetic as one without.
    BadInput if there is no such extractor, or if it needs a file of weights that is not there.
    """
    chosen = _EXTRACTORS[extractor_kind(name).name]
    return chosen(name, list(chosen.get_provided_features_list())).eval().requires_grad_(False)


@torch.no_grad()
def extract(extractor: Classifier, images: np.ndarray) -> dict[str, Tensor]:
    """Float32 features (N, ...) by layer name of uint8 images (N, H, W, C), C = 1 or 3.

    Batches always have BATCH images, padded with zeros, so an image's features are the same bits
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Layers:
    """Features of n images by what they are used for, float64."""

    features: Tensor  # (n, d)
    logits: Tensor  # (n, classes)
    spatial: Tensor | None  # (n, s); None without a spatial layer or below s images

    @classmethod
    def of(cls, name: str, values: dict[str, Tensor]) -> "Layers":
        """The layers of the extractor `name` from its values, as `extract` returns them.

        ValueError if n is below d: a covariance of fewer samples says nothing.
        """
        layer = extractor(name).layers
        features = values[layer["fid"]]
        n, d = features.shape
        if n < d:
            raise ValueError(
                f"{n} images are too few to score with {name}'s {d} features; "
                f"give at least {d}, and several times that for numbers worth comparing"
            )
        spatial = values.get(layer.get("sfid", ""))
        enough = spatial is not None and n >= spatial.shape[1]
        return cls(
            features=features.double(),
            logits=values[layer["isc"]].double(),
            spatial=spatial.double() if enough else None,
        )
