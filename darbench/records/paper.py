"""What a BibTeX entry says of a paper beyond its arXiv number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    title: str
    authors: str  # as BibTeX wants them; "others" where the list was cut
    year: int
