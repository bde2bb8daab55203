"""The facts of a paper's BibTeX entry besides its arXiv number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    title: str
    authors: str  # as BibTeX wants them; "others" where the list was cut
    year: int
