"""Signatures that were kept on disk are those of the classes."""

import json

import pytest

from darbench.errors import BadInput
from darbench.registry import ROUTINGS, built_in, is_built_in, signature


def test_signatures_come_back_from_disk_as_they_were():
    plain = json.loads(json.dumps(built_in._plain_signatures()))
    assert [*plain] == ROUTINGS.names()
    for name, each in plain.items():
        assert built_in._signature(name, **each) == signature(name)


class Odd:
    def __init__(self, sites, width, *, spans: tuple = (1,), widths: list | None = None): ...
    def begin(self): ...
    def read(self): ...
    def write(self): ...


def test_a_signature_that_json_cannot_hold_is_made_anew(own_registry, monkeypatch, tmp_path):
    monkeypatch.setenv("DARBENCH_CACHE", str(tmp_path))  # where no other test keeps signatures
    ROUTINGS.register("odd", Odd)
    monkeypatch.setattr(built_in, "_others", lambda: False)  # as if it lay in darbench
    assert built_in.signatures() == {name: signature(name) for name in ROUTINGS.names()}
    assert built_in._plain_signatures()["odd"] is None
    assert all(each for n, each in built_in._plain_signatures().items() if n != "odd")


def test_only_files_of_darbench_are_built_in(monkeypatch):
    assert is_built_in("dar")
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))
    mine = type("Mine", (ROUTINGS.get("add"),), {"__module__": "darbench_user_1_mine"})
    ROUTINGS.adopt({"mine": mine})
    assert not is_built_in("mine")
    with pytest.raises(BadInput, match="did you mean dar"):
        is_built_in("darr")


def test_with_a_guest_nothing_is_read_from_disk(monkeypatch):
    """A guest's routings may change while no file of darbench does."""
    monkeypatch.setattr(ROUTINGS, "_made", {})
    monkeypatch.setattr(built_in, "guests", lambda: ["a package"])
    monkeypatch.setattr(built_in, "remembered", None)
    assert built_in.signatures() == {}
