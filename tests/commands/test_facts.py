import pytest

from darbench.commands import facts
from darbench.registry import ROUTINGS
from darbench.routing.add import Add
from tests.make.users import files, routing


@pytest.fixture
def own(monkeypatch):
    """Register a routing as a user's file does, for the time of a test."""
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))

    def register(text: str) -> None:
        body = {"__module__": __name__, "__doc__": text}
        ROUTINGS.adopt({"mine": type("Mine", (Add,), body)})

    return register


def test_a_routing_that_cannot_be_built_is_one_line_of_every_command(run, own_registry, tmp_path):
    path = files(tmp_path, mine=routing().replace("super().__init__(sites, width)", "self.b = 1"))
    for words in (["list", "routings"], ["describe", "mine"], ["train", "--routing", "mine"]):
        code, out, said = run(*words, "--load", str(path))
        assert (code, out, said.count("\n")) == (2, "", 1), said
        assert said.startswith(("darbench: routing 'mine': ", "darbench: mine: "))


def test_a_routing_of_ones_own_is_looked_at_every_time(own, monkeypatch, tmp_path):
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    own("The first.")
    assert facts.routing_facts("mine").text == "The first."
    own("The second.")
    assert facts.routing_facts("mine").text == "The second."
    assert not (tmp_path / "cache").exists()
    facts.routing_facts("add")
    assert [path.name[:12] for path in (tmp_path / "cache").iterdir()] == ["routing-add-"]
