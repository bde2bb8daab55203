"""The layers of an extractor by what they are for."""

from dataclasses import dataclass

from torch import Tensor

from darbench.metrics.extractors.extractor import extractor


@dataclass(frozen=True, kw_only=True, eq=False)
class Layers:
    """Of n images, float64."""

    features: Tensor  # (n, d)
    logits: Tensor  # (n, classes)
    spatial: Tensor | None  # (n, s); None without a spatial layer or below s images

    @classmethod
    def of(cls, name: str, values: dict[str, Tensor]) -> "Layers":
        """From the values of the extractor `name`; ValueError if n is below d: a covariance of
        fewer samples says nothing."""
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
