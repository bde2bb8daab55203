"""A column of the ranking, and the presets that show some of them."""

from dataclasses import dataclass

COMPACT, QUALITY, COST, ROBUSTNESS = "compact", "quality", "cost", "robustness"
MECHANISM, PARAMETERS, ALL = "mechanism", "parameters", "all"
PRESETS = (COMPACT, QUALITY, COST, ROBUSTNESS, MECHANISM, PARAMETERS, ALL)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the ranking; the names are columns of `Leaderboard.frame`."""

    name: str
    title: str
    doc: str
    kind: str = "number"  # how it is written: effect, chance, percent, count, times, seeds, text
    presets: tuple[str, ...] = ()  # that show it; `all` shows every one
    digits: int = 3  # significant ones of a number, decimals of a percentage
    scale: float = 1.0  # what a value is multiplied by when it is shown
    down: bool = False  # whether the largest value is the best
    axis: str = ""  # parameter or result, where parallel coordinates have an axis for it
    beside: tuple[str, ...] = ()  # an error; the ends of an interval; seeds wanted and failures

    @property
    def compact(self) -> bool:
        return COMPACT in self.presets
