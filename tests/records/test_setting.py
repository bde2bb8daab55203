"""Fields with default, rules and doc: how they are checked, and what identities hold of them."""

import math
from dataclasses import FrozenInstanceError, dataclass, field, fields

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ValidationError

from darbench.records.setting import (
    IF_CHANGED,
    NEVER,
    POSITIVE,
    PROPER_SHARE,
    SHARE,
    SHARE_BELOW_ONE,
    ZERO_OR_MORE,
    Rule,
    Settings,
    at_least,
    identity_defaults,
    one_of,
    setting,
)
from darbench.records.settings import Evaluation, Model, Repa, Stochastic, Task, Training

SETTINGS = (Task, Model, Repa, Training, Stochastic, Evaluation)


@dataclass(frozen=True, kw_only=True)
class Inner(Settings):
    SECTION = "outer.inner"

    speed: float = setting(1.0, POSITIVE, doc="how fast")


@dataclass(frozen=True, kw_only=True)
class Outer(Settings):
    SECTION = "outer"

    count: int | None = setting(None, at_least(2).or_null(), doc="how many")
    kind: str = setting("a", one_of("a", "b"), doc="which", in_identity=IF_CHANGED)
    ends: tuple[int, ...] = setting(
        (0, 9),
        Rule("increasing", lambda ends, _: ends[0] < ends[-1]),
        Rule("even where kind is b", lambda ends, s: s.kind == "a" or ends[-1] % 2 == 0),
        doc="from and to",
    )
    where: str = setting("", doc="a folder", in_identity=NEVER)
    tags: list[str] = setting(["x"], doc="words")
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 1}, "outer.count=1: must be at least 2, or null"),
        ({"kind": "c"}, "outer.kind=c: must be one of a, b"),
        ({"ends": (2, 2)}, "outer.ends=[2, 2]: must be increasing"),
        ({"kind": "b"}, "outer.ends=[0, 9]: must be even where kind is b"),
    ],
)
def test_a_broken_rule_says_name_value_and_what_would_work(given, message):
    with pytest.raises(ValueError) as caught:
        Outer(**given)
    assert str(caught.value) == message


def test_a_number_that_is_not_finite_says_so_first():
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"^outer.inner.speed={value}: must be finite$"):
            Inner(speed=value)


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        (POSITIVE, (0.1, 7), (0, -1)),
        (ZERO_OR_MORE, (0, 3), (-1, -0.1)),
        (SHARE, (0, 0.5, 1), (-0.1, 1.1)),
        (SHARE_BELOW_ONE, (0, 0.99), (1, -0.1)),
        (PROPER_SHARE, (0.01, 0.99), (0, 1)),
        (at_least(3), (3, 4), (2, 2.9)),
        (at_least(3).or_null(), (None, 3), (2,)),
    ],
)
def test_the_ends_of_a_rule(rule, inside, outside):
    assert all(rule.holds(value, None) for value in inside)
    assert not any(rule.holds(value, None) for value in outside)


def test_an_identity_leaves_out_what_decides_nothing_and_the_defaults_of_what_came_later():
    assert Outer(where="here").identity() == {
        "count": None,
        "ends": (0, 9),
        "tags": ["x"],
        "inner": {"speed": 1.0},
    }
    assert Outer(kind="b", ends=(0, 8)).identity()["kind"] == "b"
    assert identity_defaults(Outer) == {"kind": "a"}
    later = {
        "objective": "velocity",
        "path": "Linear",
        "weighting": "none",
        "precision": "float32",
        "schedule": "constant",
        "decay": 0.4,
        "init_hash": "",
    }
    assert identity_defaults(Training) == later


def test_a_list_is_not_shared_between_two_settings():
    one, other = Outer(), Outer()
    one.tags.append("y")
    assert other.tags == ["x"] and Outer().tags == ["x"]
    with pytest.raises(FrozenInstanceError):
        one.kind = "b"


def test_hydra_reads_the_types_and_defaults():
    node = OmegaConf.structured(Outer)
    assert OmegaConf.to_container(node) == {
        "count": None,
        "kind": "a",
        "ends": [0, 9],
        "where": "",
        "tags": ["x"],
        "inner": {"speed": 1.0},
    }
    with pytest.raises(ValidationError):
        OmegaConf.structured(Outer(tags="many"))


@pytest.mark.parametrize("cls", SETTINGS)
def test_every_setting_has_a_doc_and_every_default_keeps_its_rules(cls):
    cls()
    for each in fields(cls):
        assert each.metadata.get("doc") or isinstance(each.default, Settings), each.name


def test_settings_within_settings_stand_under_the_name_that_a_refusal_gives():
    within = [(cls, f) for cls in SETTINGS for f in fields(cls) if isinstance(f.default, Settings)]
    names = [f"{cls.SECTION}.{each.name}" for cls, each in within]
    assert names == [each.default.SECTION for _, each in within]
