"""The settings in which `darbench check` checks a routing."""

import pytest

from darbench.commands import check
from darbench.errors import BadInput
from darbench.registry import ROUTINGS
from darbench.testing.check import Result

SOURCE = """
import darbench

@darbench.register("{name}")
class Mine(darbench.Routing):
    {settings}

    def __init__(self, sites, width, *, a: float = 1.0):
        super().__init__(sites, width)
        self.a = a

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + self.a * v
"""


RESULT = Result(name="pure", claim="it is", passed=True, message="", seconds=0.0)


@pytest.fixture
def settings_of(tmp_path, monkeypatch):
    """The parameters of every setting that is checked, of a file with such a class."""
    monkeypatch.setattr(ROUTINGS, "_made", dict(ROUTINGS.items()))  # forgets ours afterwards
    monkeypatch.setattr(check, "check_routing", lambda cls, params: [RESULT])

    def checked(name, settings, overrides=()):
        file = tmp_path / f"{name}.py"
        file.write_text(SOURCE.format(name=name, settings=settings))
        return [r["params"] for r in check.conformance(str(file), overrides)]

    return checked


def test_a_routing_that_names_no_settings_is_checked_at_its_defaults(settings_of):
    assert settings_of("without_settings", "") == [{}]


def test_the_defaults_and_the_named_settings_are_checked_each_once(settings_of):
    named = 'settings = ({"a": 0.5}, {"a": 1.0}, {"a": 2.0})'
    assert settings_of("with_settings", named) == [{}, {"a": 0.5}, {"a": 2.0}]


@pytest.mark.parametrize("own", ['{"k": 2.0}', "7", '"wide"', "(1, 2)", '["a"]', "None"])
def test_settings_of_another_form_are_the_authors_own(settings_of, own):
    assert settings_of("with_own_settings", f"settings = {own}") == [{}]


def test_a_routing_by_name_is_checked_at_its_defaults(settings_of):
    settings_of("by_name", 'settings = ({"a": 0.5},)')
    assert [r["params"] for r in check.conformance("by_name")] == [{}]


def test_parameters_on_the_command_line_are_checked_alone(settings_of):
    named = 'settings = ({"a": 0.5},)'
    assert settings_of("with_parameters", named, ["params.a=3"]) == [{"a": 3}]


def test_a_setting_with_an_unknown_parameter_is_refused(settings_of):
    with pytest.raises(BadInput, match="unknown parameter of routing 'with_a_slip': 'b'"):
        settings_of("with_a_slip", 'settings = ({"b": 0.5},)')
