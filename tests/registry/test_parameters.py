"""A routing's parameters are the keyword-only arguments of its constructor."""

import json
from typing import Any, Literal

import numpy as np
import pytest

from darbench.errors import BadInput
from darbench.records.canonical import canonical_json
from darbench.registry import ROUTINGS, Parameter, Signature, parameter, register, signature
from darbench.routing.base import Routing


def test_a_signature_is_the_keyword_only_arguments_with_types_and_choices():
    found = signature("dar").parameters
    assert list(found) == [
        "query",
        "t_source",
        "history",
        "span",
        "final",
        "heads",
        "gain",
        "scale",
        "value_gate",
        "lr_mult",
    ]
    assert found["query"].choices == ("static", "static_t", "dynamic")
    assert (found["span"].types, found["span"].default) == ((int,), 4)
    assert (found["lr_mult"].types, found["lr_mult"].default) == ((float,), 1.0)
    assert signature("hyper").parameters["dynamic"].types == (bool,)


@pytest.mark.parametrize("name", ROUTINGS.names())
def test_the_defaults_of_a_signature_pass_its_own_checks_and_build_the_routing(name):
    resolved = signature(name).resolve({})
    assert signature(name).resolve(resolved) == resolved
    assert isinstance(ROUTINGS.get(name)(8, 16, **resolved), Routing)


def test_resolving_fills_in_the_defaults():
    resolved = signature("hyper").resolve({"streams": 2})
    assert resolved == {"streams": 2, "dynamic": True, "res": "full", "tanh": True, "lr_mult": 1.0}


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("hyper", {"streams": True}, "streams=True: must be int"),
        ("hyper", {"streams": 2.0}, r"streams=2\.0: must be int"),
        ("hyper", {"streams": "2"}, "streams='2': must be int"),
        ("hyper", {"dynamic": 1}, "dynamic=1: must be bool"),
        ("hyper", {"lr_mult": False}, "lr_mult=False: must be float"),
        ("hyper", {"lr_mult": None}, "lr_mult=None: must be float"),
        ("dar", {"query": "statik"}, "query=statik: must be one of static, static_t, dynamic"),
        ("dar", {"querry": "static"}, "routing 'dar'.*'querry'; did you mean query"),
        ("add", {"lr_mult": 1.0}, "routing 'add' has no parameters, got 'lr_mult'"),
    ],
)
def test_wrong_parameters_are_refused(name, params, message):
    with pytest.raises(BadInput, match=message):
        signature(name).resolve(params)


def test_an_int_will_do_for_a_float():
    assert signature("hyper").resolve({"lr_mult": 3})["lr_mult"] == 3


class Hinted:
    def __init__(self, sites, width, *, a: int | None = None, b: Literal[1, 2] = 1): ...

    begin = read = write = __init__


def test_optional_and_numeric_choices_are_checked_by_type_too(own_registry):
    register("hinted")(Hinted)
    hinted = signature("hinted")
    assert hinted.resolve({"a": None, "b": 2}) == {"a": None, "b": 2}
    for wrong in ({"a": 1.5}, {"a": True}, {"b": 3}, {"b": True}, {"b": 1.0}):
        with pytest.raises(BadInput):
            hinted.resolve(wrong)


class Switched:
    def __init__(
        self,
        sites,
        width,
        *,
        mode: Literal["on", "off", "auto"] = "on",
        spelled: Literal["true", "1"] = "1",
        plain: bool = True,
        text: str = "x",
        anything=0.5,
    ): ...

    begin = read = write = __init__


def test_a_word_is_a_bool_for_a_switch_and_text_for_a_choice(own_registry):
    register("switched")(Switched)
    read = signature("switched").resolve
    for given, wanted in (("on", "on"), (True, "on"), (False, "off"), ("auto", "auto")):
        assert read({"mode": given})["mode"] == wanted
    assert read({"spelled": True})["spelled"] == "true"
    for word, wanted in (("yes", True), ("off", False), ("True", True), (False, False)):
        assert read({"plain": word})["plain"] is wanted
    assert read({"text": "on"})["text"] == "on"
    for wrong in ({"plain": "maybe"}, {"mode": 1}, {"spelled": 1}, {"spelled": False}):
        with pytest.raises(BadInput):
            read(wrong)


@pytest.mark.parametrize("default", [[1, 2], (1,), {"a": 1}, object, b"x"])
def test_a_default_that_nobody_can_give_is_refused(default):
    held = Parameter(name="held", default=default, types=())
    own = Signature(name="x", parameters={"held": held}, code_hash="0")
    with pytest.raises(BadInput, match=r"the default of held, .* cannot be given in a space"):
        own.resolve({})
    assert own.resolve({"held": 3}) == {"held": 3}


def test_a_signature_is_enough_to_check_parameters_without_the_routing():
    span = Parameter(name="span", default=4, types=(int,))
    signature = Signature(name="x", parameters={"span": span}, code_hash="0")
    assert signature.resolve({"span": 2}) == {"span": 2}
    with pytest.raises(BadInput, match=r"routing 'x'.*'spam'; did you mean span"):
        signature.resolve({"spam": 2})


def form(default: Any, hint: Any, *given: Any) -> str:
    """The text in an identity of a parameter of that default and annotation."""
    read = parameter("a", default, hint)
    signature = Signature(name="x", parameters={"a": read}, code_hash="0")
    return canonical_json(signature.resolve({"a": given[0]} if given else {}))


@pytest.mark.parametrize(
    ("default", "hint", "twins"),
    [
        (1, float, [1, 1.0, np.int64(1), np.float32(1)]),
        (1.0, float, [1, 1.0, np.float64(1)]),
        (0, float, [0, 0.0, -0.0]),
        (-0.0, float, [0, 0.0, -0.0]),
        (1, float | None, [1, 1.0]),
        (None, float, [None]),
        (2.0, int, [2, 2.0]),
        (True, int, [True, 1]),
        (1, bool, [1, True]),
        (1, Any, [1, 1.0]),
        (0.5, Any, [0.5, np.float64(0.5)]),
        (1, Literal[1.0, 2.0], [1, 1.0]),
        (1, int | float, [1, 1.0]),
        (1.0, int | float, [1, 1.0, np.float32(1)]),
        (1.0, int | float | None, [1, 1.0]),
        (np.float64(0.5), float, [0.5]),
        ("on", Literal["on", "off"], ["on"]),
        (None, Literal["on", "off"] | None, [None]),
    ],
)
def test_a_default_is_one_configuration_however_it_is_given(default, hint, twins):
    """It has the id that it has where it is left out, whatever type it is written in."""
    written = default.item() if isinstance(default, np.generic) else default
    assert form(default, hint) == canonical_json({"a": written})
    assert {form(default, hint, twin) for twin in twins} == {form(default, hint)}


@pytest.mark.parametrize(
    ("default", "hint", "twins", "as_read"),
    [
        (1, float, [2, 2.0, np.int32(2)], 2.0),
        (1, float, [-0.0, 0, 0.0], 0.0),
        (0.5, Any, [2, 2.0], 2.0),
        (1, int, [2, np.int64(2)], 2),
        (1, int | float, [2, 2.0, np.float64(2)], 2),
        (1.0, float | int, [2, 2.0], 2),
        (1, int | float, [-0.0, 0, 0.0], 0),
        (0.5, float | int | None, [1e-3], 1e-3),
        (None, Any, [2, 2.0], 2),
        (1, Any, [2, 2.0], 2),
        (None, Any, [1e300], 1e300),
        (None, int | float, [2, 2.0], 2),
        (None, Literal[1, 2.0], [2.0], 2.0),
        ("a", str, ["b", np.str_("b")], "b"),
        (2.0, Literal[1.0, 2.0], [1, 1.0], 1.0),
        (None, Literal["on", "off"] | None, ["off"], "off"),
        (True, bool, [False, np.bool_(False)], False),
    ],
)
def test_another_value_has_one_form_too(default, hint, twins, as_read):
    text = json.dumps({"a": as_read}, separators=(",", ":"))
    assert {form(default, hint, twin) for twin in twins} == {text} != {form(default, hint)}


@pytest.mark.parametrize(
    ("default", "hint", "one", "other"),
    [
        (1, int | bool, 1, True),
        (1, Any, 1, True),
        (True, Any, 1, True),
        (0.001, float, 1e-3 + 1e-18, 1e-3),
        ("1", Any, "1", 1),
    ],
)
def test_what_a_constructor_can_tell_apart_stays_apart(default, hint, one, other):
    assert form(default, hint, one) != form(default, hint, other)


@pytest.mark.parametrize(
    ("default", "hint", "wrong", "message"),
    [
        (1, float, True, "a=True: must be float"),
        (1, float, None, "a=None: must be float"),
        (1, float, np.float64("inf"), "a=inf: must be finite"),
        (1, float, np.ones(2), "must be float"),
        (2, int, 2.0, r"a=2\.0: must be int"),  # a range of floats for an integer
        (1.0, Literal[1.0, 2.0], True, "a=True: must be one of 1.0, 2.0"),
        (None, Literal["on", "off"] | None, "no", "a=no: must be one of on, off, null"),
    ],
)
def test_no_other_type_slips_in_with_the_default(default, hint, wrong, message):
    with pytest.raises(BadInput, match=message):
        form(default, hint, wrong)
