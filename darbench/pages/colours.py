"""The colours and dashes by which entries are told apart, in every figure of every page."""

from typing import NamedTuple

# These read on white and on near black, and most colour-blind readers can tell them apart.
COLOURS = ("#3a86d8", "#e0772f", "#2f9e77", "#b65fc4", "#c09a1a", "#d9506a", "#3aa6b9", "#9a7b5b")
DASHES = ("solid", "dash", "dot", "dashdot")


class Style(NamedTuple):
    """How the curve of an entry is drawn."""

    colour: str
    dash: str


GREY = Style("#868e96", "solid")  # of `add`, everywhere


def style(place: int) -> Style:
    """The style of the entry at a place among those that are no `add`."""
    colours = len(COLOURS)
    return Style(COLOURS[place % colours], DASHES[place // colours % len(DASHES)])
