"""Feature extractors, registered with torch-fidelity under their names, and the feature pass.

Whoever has torch-fidelity can check our numbers: after importing this module, its
`calculate_metrics(feature_extractor="digits-cnn", ...)` finds the extractor by name.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch_fidelity import register_feature_extractor
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from darbench.metrics.extractors import inception
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.extractors.classifier import Classifier
from darbench.metrics.extractors.small_cnn import DIGITS, SHAPES, DigitsCNN, ShapesCNN
from darbench.records.rules import FEATURE_BATCH as BATCH

_EXTRACTORS: dict[str, type[Classifier]] = {
    DIGITS.name: DigitsCNN,
    SHAPES.name: ShapesCNN,
    inception.NAME: inception.Inception,
}

for _name, _class in _EXTRACTORS.items():
    # torch-fidelity refuses a second registration, which a reload or a reused worker would make,
    # and it has an inception-v3-compat of its own, which gives the same features.
    if _name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(_name, _class)


@cache
def extractor(name: str) -> Classifier:
    """The extractor of that name with all its layers, on the CPU; BadInput if there is none, or
    if its weights have to be given and are not.

    It carries `weights_sha256`. It stays on the CPU so that a trial on a GPU is measured in the
    same arithmetic as one without.
    """
    chosen = _EXTRACTORS[extractor_kind(name).name]
    return chosen(name, list(chosen.get_provided_features_list())).eval().requires_grad_(False)


@torch.no_grad()
def extract(extractor: Classifier, images: np.ndarray) -> dict[str, Tensor]:
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
