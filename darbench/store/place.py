"""The place of trials on a board: the point of the space's axes and the track they stand in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIXED = "fixed"  # the track of entries as the space gives them


@dataclass(frozen=True, kw_only=True)
class Place:
    """The section in which a configuration's trials of a split stand; it may have several."""

    point: Mapping[str, Any] = field(default_factory=dict)  # value by name of axis
    track: str = FIXED
    split: str = "confirm"
