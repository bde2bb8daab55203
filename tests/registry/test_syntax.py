"""Words, comments and layout leave no trace in the canonical text; all else does."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darbench.registry.syntax import code_of

SOURCE = '''"""A module."""

from a import b, c


@register("mine", weight=1.0)
class Mine(c):
    """The class."""

    paper = "arXiv:1"

    def read(self, state, site, *, span: int = 4, **rest):
        """The verb."""
        scale = 2 * (self.width + site)  # a comment
        if not rest:
            return state[site:, ::2] + scale
        return {**rest, "name": f"{state!r:>{span}}", 'x': -1}

    def write(self, state, site, v): ...
'''

SAME = [
    ("# a comment", "# another one"),
    ("  # a comment", ""),
    ('"""A module."""', '"""Reworded,\n\nwith a second paragraph."""'),
    ('"""A module."""\n', ""),
    ('    """The class."""\n', ""),
    ('"""The verb."""', "'The verb.'"),
    (
        "return state[site:, ::2] + scale",
        "return (\n                state[site:, ::2]\n  + scale)",
    ),
    ("2 * (self.width + site)", "(2 * ((self.width + site)))"),
    ("from a import b, c", "from a import (\n    b,\n    c,\n)"),
    ("(self, state, site, v): ...", "(self, state, site, v,): pass"),
    ("(self, state, site, v): ...", '(self, state, site, v):\n        """Described."""'),
    ("'x': -1", '"x": -1,'),
    ('r("mine", weight=1.0)', "r('mine', weight=1.00,)"),
    ("\n\n    def write", "\n    def write"),
    ('"arXiv:1"', '"arXiv:2"'),
    ('paper = "arXiv:1"', 'citation = Paper("A title", "Mine", 2026)'),
    ('paper = "arXiv:1"', "settings: tuple = ({}, {'span': 2})"),
]
OTHER = [
    ("2 * (", "3 * ("),
    ("2 * (", "2.0 * ("),
    ("2 * (", "2 + ("),
    ("2 * (self.width + site)", "2 * self.width + site"),
    ("span: int = 4", "span: int = 5"),
    ("span: int = 4", "span: float = 4"),
    ("*, span", "span"),
    ("weight=1.0", "weight=2.0"),
    ('"mine"', '"yours"'),
    ("class Mine(c)", "class Mine(b)"),
    ("not rest", "rest"),
    ("site:, ::2", "site:, ::3"),
    ("::2", ":2"),
    ("!r:>", "!s:>"),
    ("**rest, ", ""),
    ("-1", "1"),
    ("import b, c", "import b, d as c"),
    ("def write", "def wirte"),
    ('paper = "arXiv:1"', 'gate = "one_plus"'),
    ('paper = "arXiv:1"', "settings: tuple"),
    ("return state[", "yield state["),
]


def edited(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1
    changed = SOURCE.replace(old, new)
    ast.parse(changed)
    return changed


@pytest.mark.parametrize(("old", "new"), SAME)
def test_prose_and_layout_leave_no_trace(old, new):
    assert code_of(edited(old, new)) == code_of(SOURCE)


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_code_does(old, new):
    assert code_of(edited(old, new)) != code_of(SOURCE)


FACT = "@register('a')\nclass A:\n    settings = 1\n\n    def f(self):\n        return {}"
READS = ("self.settings", "getattr(self, 'settings')", "vars(type(self))", "A.__dict__")


def tells(text: str, **more) -> bool:
    """Whether another value of the fact is other code."""
    return code_of(text, **more) != code_of(text.replace("settings = 1", "settings = 2"), **more)


def test_a_fact_that_the_source_computes_with_is_code():
    assert not tells(FACT.format("self.other"))
    assert not tells(FACT.format("self.other").replace("@register", "@darbench.register"))
    assert all(tells(FACT.format(read)) for read in READS)
    assert tells(FACT.format("self.other"), read={"settings"})


def test_a_class_that_is_not_registered_has_no_facts():
    assert tells(FACT.format("1").replace("@register('a')\n", ""))
    assert tells(FACT.format("1").replace("@register", "@other.register"))
    state = "class State(NamedTuple):\n    settings: Tensor\n    last: Tensor"
    assert code_of(state) != code_of(state.replace("    settings: Tensor\n", ""))


def test_the_text_is_the_same_in_every_version_of_python():
    """Written down; a version whose syntax trees have other fields must find the same."""
    assert code_of('def f(a, *, b=None):\n    "doc"\n    return -a + b[1:], f"{a!r}"  # why') == (
        "Module(body=[FunctionDef(args=arguments(args=[arg(arg='a',),],"
        "kw_defaults=[Constant(),],kwonlyargs=[arg(arg='b',),],),"
        "body=[Return(value=Tuple(elts=[BinOp(left=UnaryOp(op=USub(),operand=Name(id='a',),),"
        "op=Add(),right=Subscript(slice=Slice(lower=Constant(value=1,),),value=Name(id='b',),),),"
        "JoinedStr(values=[FormattedValue(conversion=114,value=Name(id='a',),),],),],),),],"
        "name='f',),],)"
    )


def test_a_cell_with_magic_commands_stands_for_itself():
    assert code_of("%matplotlib inline\nx = 1") == "%matplotlib inline\nx = 1"
    assert code_of("%matplotlib inline\nx = 1") != code_of("%matplotlib inline\nx = 2")


def test_a_sum_of_any_length_has_a_text():
    terms = ["a"] * 2500
    assert code_of(" + ".join(terms)) != code_of(" + ".join(terms[1:]))


constants = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
constants = constants | st.binary() | st.just(...)


@given(constants, constants)
def test_different_constants_have_different_texts(one, two):
    same = ascii(one) == ascii(two)
    assert (code_of(f"x = {one!r}") == code_of(f"x = {two!r}")) == same
