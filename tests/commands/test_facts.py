import pytest

from darbench.commands import facts
from darbench.registry import ROUTINGS
from darbench.routing.add import Add


@pytest.fixture
def own(monkeypatch):
    """Register a routing as a user's file does, for the time of a test."""
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))

    def register(text: str) -> None:
        body = {"__module__": __name__, "__doc__": text}
        ROUTINGS.adopt({"mine": type("Mine", (Add,), body)})

    return register


def test_a_routing_of_ones_own_is_looked_at_every_time(own, monkeypatch, tmp_path):
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path / "cache"))
    own("The first.")
    assert facts.routing_facts("mine").text == "The first."
    own("The second.")
    assert facts.routing_facts("mine").text == "The second."
    assert not (tmp_path / "cache").exists()
    facts.routing_facts("add")
    assert [path.name[:12] for path in (tmp_path / "cache").iterdir()] == ["routing-add-"]
