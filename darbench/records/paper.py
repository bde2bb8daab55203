"""A paper and its BibTeX entry."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """The facts of an entry besides its arXiv number."""

    title: str
    authors: str  # as BibTeX wants them; "others" where the list was cut
    year: int


def bibtex(key: str, paper: str, cited: Paper | None) -> str:
    """Return BibTeX for a paper such as "arXiv:2605.20708", with a title if it is known."""
    arxiv = paper.removeprefix("arXiv:")
    fields = {"eprint": arxiv, "archivePrefix": "arXiv", "url": f"https://arxiv.org/abs/{arxiv}"}
    if cited:
        title = {"title": f"{{{cited.title}}}", "author": cited.authors, "year": str(cited.year)}
        fields = title | fields
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@misc{{{key},", *lines, "}"])
