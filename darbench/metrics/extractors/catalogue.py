"""The feature extractors by name: what is known of each without its network or its weights."""

from collections.abc import Mapping
from dataclasses import dataclass

from darbench.errors import unknown

FEATURES = 64  # of the small networks
SPATIAL = 4  # channels of their spatial layer, which has half the images' side
INCEPTION_SPATIAL = 7  # channels of sFID, 17 x 17


@dataclass(frozen=True, kw_only=True)
class ExtractorKind:
    """An extractor's facts; `darbench.metrics.extractors.extractor` makes the extractor."""

    name: str
    layers: Mapping[str, str]  # metric -> layer; "sfid" only if there is a spatial one
    widths: Mapping[str, int]  # layer -> values
    side: int | None  # side of the square images it reads; None: any size
    ships: bool  # whether its weights come with darbench

    @property
    def features(self) -> int:
        """How many values the layer has in which the Frechet distance is taken."""
        return self.widths[self.layers["fid"]]


def _small(name: str, side: int, classes: int, resizes: bool = True) -> ExtractorKind:
    """The facts of a small network for square images of that side, or resized to it."""
    return ExtractorKind(
        name=name,
        layers={"fid": "64", "kid": "64", "prc": "64", "isc": "logits", "sfid": "spatial"},
        widths={"64": FEATURES, "logits": classes, "spatial": SPATIAL * (side // 2) ** 2},
        side=None if resizes else side,
        ships=True,
    )


DIGITS_CNN = _small("digits-cnn", side=8, classes=10, resizes=False)
SHAPES_CNN = _small("shapes-cnn", side=16, classes=10)
PHOTOS_CNN = _small("photos-cnn", side=16, classes=5)
INCEPTION = ExtractorKind(
    name="inception-v3-compat",
    layers={
        "fid": "2048",
        "kid": "2048",
        "prc": "2048",
        "isc": "logits_unbiased",
        "sfid": "spatial",
    },
    widths={"2048": 2048, "logits_unbiased": 1008, "spatial": INCEPTION_SPATIAL * 17**2},
    side=None,
    ships=False,
)
LITE0 = ExtractorKind(
    name="efficientnet-lite0",
    layers={"fid": "320", "kid": "320", "prc": "320", "isc": "logits"},
    widths={"320": 320, "logits": 1000},
    side=None,
    ships=False,
)
_KINDS = {each.name: each for each in (DIGITS_CNN, SHAPES_CNN, PHOTOS_CNN, INCEPTION, LITE0)}


def extractor_kind(name: str) -> ExtractorKind:
    """The facts of the extractor of that name; BadInput with near names if there is no
    such one."""
    if name not in _KINDS:
        raise unknown("feature extractor", name, _KINDS)
    return _KINDS[name]


def shipped() -> list[str]:
    """The names of those whose weights ship."""
    return [name for name, each in _KINDS.items() if each.ships]
