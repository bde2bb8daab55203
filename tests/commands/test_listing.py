import pytest

from darbench.commands import listing
from darbench.commands.cite import PAPERS, PARTS, bibtex, cite, papers
from darbench.commands.new import new
from darbench.errors import BadInput
from darbench.metrics.cost.overhead import block_flops, overhead
from darbench.registry import ROUTINGS
from darbench.search.files import spaces_folder, tasks_folder


def test_overheads_are_the_papers_parameter_counts():
    dar = ROUTINGS.get("dar")
    assert overhead(dar, {"query": "static"}, "XL/2").parameters == 131_328
    assert overhead(dar, {"query": "dynamic"}, "XL/2").parameters == 75_710_592
    assert overhead(ROUTINGS.get("denseformer"), {}, "S/2").parameters == 90


def test_flops_of_the_blocks_are_those_of_the_published_sizes():
    assert block_flops(12, 384) == pytest.approx(47.2e6 * 256, rel=1e-3)
    assert block_flops(28, 1152) == pytest.approx(924.8e6 * 256, rel=1e-3)


def test_overhead_counts_matrix_products_and_the_formula():
    """Dynamic DAR's queries are 2 D^2 for each of 57 readers and token, beside its reads."""
    dar = ROUTINGS.get("dar")
    params = {"query": "dynamic", "history": "full"}
    found = overhead(dar, params, "XL/2").flops * block_flops(28, 1152)
    reads = 4 * sum(range(1, 58)) + 2 * 57 - 56
    assert found == pytest.approx(256 * (57 * 2 * 1152**2 + reads * 1152), rel=1e-9)


def test_the_listing_has_every_routing_with_its_parameters():
    rows = {row["name"]: row for row in listing.routings()}
    assert set(rows) == set(ROUTINGS.names())
    assert rows["add"]["FLOPs XL/2"] == 0 and rows["add"]["equals add"] == "strong"
    span = rows["dar"]["search parameters"]["span"]
    assert span == {"default": 4, "values": "int"}


def test_names_of_routings_spaces_and_tasks_do_not_overlap():
    names = ROUTINGS.names()
    names += [
        p.stem for folder in (spaces_folder(), tasks_folder()) for p in folder.glob("*.yaml")
    ]
    assert len(names) == len(set(names))


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


def test_new_writes_a_file_and_never_over_one(tmp_path):
    path = new("my_routing", tmp_path)
    assert "class MyRouting(darbench.Routing)" in path.read_text()
    with pytest.raises(BadInput, match="exists"):
        new("my_routing", tmp_path)


@pytest.mark.parametrize("name", ["my-routing", "2fast", "", "../up", "Mine"])
def test_new_refuses_what_is_no_module_name(tmp_path, name):
    with pytest.raises(BadInput, match="lower-case letters"):
        new(name, tmp_path)


def test_new_says_where_it_cannot_write(tmp_path):
    with pytest.raises(BadInput, match="cannot write"):
        new("mine", tmp_path / "nowhere")
