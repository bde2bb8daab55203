"""The papers behind the routings and what they are compared in, for `darbench cite`."""

from collections.abc import Iterable

from darbench.records.paper import Paper
from darbench.records.paper import bibtex as paper_bibtex

# Papers of other things than routings, by the name to cite them under.
PARTS = {"sit": "arXiv:2401.08740", "repa": "arXiv:2410.06940"}
PAPERS = {
    PARTS["sit"]: Paper(
        "SiT: Exploring Flow and Diffusion-based Generative Models with Scalable Interpolant "
        "Transformers",
        "Ma, Nanye and Goldstein, Mark and Albergo, Michael S. and Boffi, Nicholas M. and "
        "Vanden-Eijnden, Eric and Xie, Saining",
        2024,
    ),
    PARTS["repa"]: Paper(
        "Representation Alignment for Generation: Training Diffusion Transformers Is Easier Than "
        "You Think",
        "Yu, Sihyun and Kwak, Sangkyung and Jang, Huiwon and Jeong, Jongheon and "
        "Huang, Jonathan and Shin, Jinwoo and Xie, Saining",
        2024,
    ),
}


def papers() -> dict[str, Paper]:
    """Return all papers that can be cited in full, by a key such as "arXiv:2605.20708"."""
    from darbench.registry import ROUTINGS

    cited = {cls.paper: cls.citation for _, cls in ROUTINGS.items() if cls.citation}
    return PAPERS | cited


def cite(names: Iterable[str]) -> str:
    """Return BibTeX of the papers of routings, of `sit` and of `repa`, each once."""
    from darbench.registry import ROUTINGS

    entries: dict[str, str] = {}
    for name in names:
        paper = PARTS.get(name) or ROUTINGS.get(name).paper
        if paper:
            entries.setdefault(paper, bibtex(name, paper))
    return "\n\n".join(entries.values())


def bibtex(key: str, paper: str) -> str:
    """Return BibTeX for a paper such as "arXiv:2605.20708", with a title if it is known."""
    return paper_bibtex(key, paper, papers().get(paper))
