"""The YAML of a space: text stays text, and a value is what it is on the command line."""

import pytest
import yaml

from darbench import registry
from darbench.errors import BadInput
from darbench.search.compose import compose_space, routing_parameters
from darbench.search.load import load_space
from darbench.search.space_file import Loader
from tests.make.spaces import load

SCALARS = [
    "1e-5",
    "1e5",
    "1E+5",
    "1.5",
    "1.",
    ".5",
    "0.5e3",
    "010",
    "1_0",
    "1__0",
    "0x1F",
    "12:30",
    "on",
    "off",
    "yes",
    "no",
    "y",
    "true",
    "True",
    "TRUE",
    "false",
    "nan",
    "inf",
    "-inf",
    "-3",
    "+3",
    "0",
    "00",
    "null",
    "NULL",
    "2026-01-01",
    "1.2.3",
    "1e",
    "e5",
    "1_000.5",
    "full",
    "a-b",
]
HEAD = "{head}name: mine\ntraining: {{steps: 4}}\nvariants: [{{routing: add}}]\n"


@pytest.mark.parametrize("text", SCALARS)
def test_a_value_means_in_a_file_what_it_means_on_the_command_line(text):
    ((_, given),) = routing_parameters([f"params.x={text}"])[0].items()
    found = yaml.load(f"x: {text}", Loader)["x"]
    assert repr(found) == repr(given)


@pytest.mark.parametrize(
    "text", ["no", "on", "2026-01-01", "100", "1.50", "010", "true", "nan", "''", "a: b"]
)
def test_a_label_is_the_text_that_is_written(tmp_path, text):
    written = f"'{text}'" if ":" in text else text
    space = load(tmp_path, f"variants: [{{routing: add, label: {written}}}]")
    (label,) = [c.variant.label for c in space.grid()]
    assert label == ("add" if text == "''" else text)


def test_without_a_label_the_routing_is_the_name(tmp_path):
    for nothing in ("", "~", "null"):
        space = load(tmp_path, f"variants:\n  - routing: add\n    label: {nothing}\n")
        assert [entry.name for entry in space.entries] == ["add"]


def test_a_label_that_is_no_text_elsewhere_is_refused_and_never_dropped(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD.format(head="defaults: [{darbench: sweep}, {task: digits-nano}]\n"))
    said = r"variants\[0\]: label false: is no text; put it in quotes"
    with pytest.raises(BadInput, match=said):
        load_space(str(path), ["+variants.0.label=false"], registry.signatures())
    made = load_space(str(path), ["+variants.0.label=0"], registry.signatures())
    assert made.entries[0].name == "0"


@pytest.mark.parametrize("value", ["no", "0", "''", "[]"])
def test_parameters_that_are_no_mapping_are_refused_and_never_dropped(tmp_path, value):
    with pytest.raises(BadInput, match="params: must be a mapping"):
        load(tmp_path, f"variants: [{{routing: dar, params: {value}}}]")


def test_words_of_settings_are_text_and_those_of_switches_are_read(tmp_path):
    space = load(
        tmp_path,
        """
        summary: on
        model: {learn_sigma: yes}
        variants: [{routing: hyper, params: {dynamic: off}}, {routing: hyper}]
        """,
    )
    assert (space.summary, space.ground.model.learn_sigma) == ("on", True)
    assert [c.variant.params["dynamic"] for c in space.grid()] == [False, True]


@pytest.mark.parametrize(
    "defaults",
    [
        "[{darbench: sweep}, {task: digits-nano}]",
        "[{darbench: sweep}, _self_, {task: digits-nano}]",
        "[_self_, {darbench: sweep}, {task: digits-nano}]",
        "[{darbench: sweep}, {task: digits-nano}, _self_]",
    ],
)
def test_the_file_wins_over_what_it_builds_on_wherever_self_stands(tmp_path, defaults):
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD.format(head=f"defaults: {defaults}\n"))
    assert compose_space(str(path))["grounds"][0]["training"]["steps"] == 4
    assert compose_space(str(path), ["training.steps=9"])["grounds"][0]["training"]["steps"] == 9
    assert compose_space(str(path), ["task=shapes-nano"])["grounds"][0]["training"]["steps"] == 4
