from darbench.commands.cite import PAPERS, PARTS, bibtex, cite, papers
from darbench.registry import ROUTINGS


def test_every_built_in_routing_has_a_known_paper():
    built_in = [c for _, c in ROUTINGS.items() if c.__module__.startswith("darbench.")]
    assert len(built_in) > 1
    for cls in built_in:
        assert cls.paper in papers()


def test_cite_gives_each_paper_once():
    found = cite(["dar", "hyper", "dar"])
    assert found.count("@misc{") == 2
    assert "eprint = {2605.20708}" in found and "title = {{Hyper-Connections}}" in found


def test_the_model_and_its_alignment_have_papers_too():
    found = cite(["sit", "repa", "add"])
    assert all(f"eprint = {{{n}}}" in found for n in ("2401.08740", "2410.06940", "1512.03385"))
    assert set(PARTS.values()) == PAPERS.keys()


def test_a_paper_we_do_not_know_is_cited_by_its_number():
    assert "title" not in bibtex("mine", "arXiv:9999.00001")
    assert "eprint = {9999.00001}" in bibtex("mine", "arXiv:9999.00001")
