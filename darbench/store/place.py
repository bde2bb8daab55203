"""The place of trials on a board: the point of the space's axes, and the track."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Place:
    """The section in which a configuration's trials of a split stand; it may have several.

    On the track of `tuned` settings every variant has its own best values of these.
    """

    point: Mapping[str, Any] = field(default_factory=dict)  # value by name of axis
    tuned: tuple[str, ...] = ()
    split: str = "confirm"
    left: bool = False  # after a coarse look at the point, on which nothing differed from `add`

    def __post_init__(self):
        object.__setattr__(self, "tuned", tuple(self.tuned))  # JSON has lists

    @property
    def track(self) -> tuple[tuple[str, ...], str]:
        """What a sweep places anew as a whole: a tuned track, or a split of the fixed one."""
        return self.tuned, "" if self.tuned else self.split
