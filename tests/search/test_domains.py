from darbench.search.domains import Choices, Range


def test_domains_know_their_members():
    assert 3 in Range(low=1, high=5) and 6 not in Range(low=1, high=5)
    assert "x" not in Range(low=1, high=5)
    assert "a" in Choices(values=("a", "b"))
