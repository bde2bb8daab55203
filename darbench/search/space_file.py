"""The YAML file of a space as plain values, in which text stays text.

YAML 1.1 takes `on`, `no` and 2026-01-01 for other than text. Here a bool is true or false, a date
is text, and a label is whatever is written.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from darbench.errors import BadInput
from darbench.search.hydra_errors import malformed

BOOL, INT, FLOAT, DATE, STR, NULL = (
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp", "str", "null")
)
# As in Hydra's overrides, so that a value means the same in a file and on the command line.
NUMBER = r"(?:0|[1-9](?:_?[0-9])*)"
FRACTION = rf"(?:{NUMBER}?\.[0-9](?:_?[0-9])*|{NUMBER}\.)"
EXPONENT = r"[eE][-+]?[0-9](?:_?[0-9])*"
INFINITE, NOT_A_NUMBER = r"\.?[iI][nN][fF]", r"\.?[nN][aA][nN]"
SCALARS = {
    BOOL: "[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]",
    INT: rf"[-+]?{NUMBER}",
    FLOAT: rf"[-+]?(?:{FRACTION}(?:{EXPONENT})?|{NUMBER}{EXPONENT}|{INFINITE})|{NOT_A_NUMBER}",
}


class Loader(yaml.SafeLoader):
    """A loader of YAML whose scalars are those of Hydra's overrides."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        items = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
        names = [key.value for key, _ in items]
        for i, (key, value) in enumerate(items):
            if key.value in names[:i]:
                problem = f"found duplicate key {key.value}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            scalar = isinstance(value, yaml.ScalarNode) and value.tag != NULL
            if scalar and key.value == "label" and "routing" in names:
                value.tag = STR
        return super().construct_mapping(node, deep=deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag not in (*SCALARS, DATE)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag, form in SCALARS.items():
    Loader.add_implicit_resolver(tag, re.compile(f"^(?:{form})$"), [*"tTfFnNiI-+.0123456789"])


def read_space(path: Path) -> dict[str, Any]:
    """Return what the file says, over whatever it builds on.

    BadInput for a file that is not a YAML mapping, or does not build on the sweep's schema.
    """
    try:
        given = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        raise malformed(path, error) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    defaults = given.get("defaults") if isinstance(given, dict) else None
    if not isinstance(defaults, list) or {"darbench": "sweep"} not in defaults:
        raise BadInput(
            f"{path}: not a search space; start it with "
            "`defaults: [{darbench: sweep}, {task: digits-nano}, _self_]`"
        )
    return given | {"defaults": _own_last(defaults)}


def _own_last(defaults: list[Any]) -> list[Any]:
    """The defaults list in which the file itself wins, wherever it has _self_."""
    built_on = [each for each in defaults if each != "_self_"]
    later = [each for each in built_on if str(next(iter(each), "")).startswith("override ")]
    return [*(each for each in built_on if each not in later), "_self_", *later]
