"""Hydra's errors about a file and its overrides, translated into one line that helps."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException

from darbench.errors import BadInput, unknown
from darbench.search.files import tasks_folder


def check_overrides(overrides: Iterable[str]) -> None:
    """Raise BadInput for an override that breaks Hydra's grammar, or has several values."""
    for override in overrides:
        _parsed(override)


def override_item(override: str) -> tuple[str, Any]:
    """Return the key and the value of an override as plain values; BadInput as in
    `check_overrides`."""
    parsed = _parsed(override)
    return parsed.key_or_group, _plain(parsed.value())


def _parsed(override: str) -> Override:
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException:
        parsed = None
    if parsed is None or not parsed.key_or_group:
        raise BadInput(
            f"override '{override}': write KEY=VALUE, such as training.steps=200; "
            "a value with special characters goes in quotes within the quotes of the shell"
        )
    if parsed.is_sweep_override():
        name, _, value = override.partition("=")
        raise BadInput(f"{override}: for a list write {name}=[{value}]")
    return parsed


def _plain(value: Any) -> Any:
    """The value without the quotes that Hydra's grammar keeps apart from their text."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def translated(path: Path, keys: Iterable[str], error: Exception) -> BadInput:
    """Return Hydra's message as BadInput, with the reason why a value is refused.

    For an unknown key it has near names among `keys`.
    """
    if isinstance(error, yaml.YAMLError):  # a duplicate key, which plain YAML allows
        return malformed(path, error)
    text, cause = str(error), str(error.__cause__ or "")
    key = re.search(r"Could not override '([^']+)'", text)
    if key and key[1].startswith("variants."):
        return BadInput(f"{key[1]}: that variant does not give it; to add it, write +{key[1]}=...")
    if key:
        return unknown("override key", key[1], keys)
    stranger = re.search(r"Key '([^']+)' not in '(\w+)'\n\s+full_key: (\S+)", text + "\n" + cause)
    if stranger:
        return BadInput(f"{path}: {unknown('key', stranger[3], keys)}")
    option = re.search(r"Could not find '([\w/]+)/([^']*)'", text)
    if option and option[1] == "task":
        return unknown("task", option[2], (p.stem for p in tasks_folder().glob("*.yaml")))
    if option:
        return BadInput(f"{path.name}: there is no '{option[1]}: {option[2]}' to build on")
    return _first_line(path, text, cause)


def _first_line(path: Path, text: str, cause: str) -> BadInput:
    blamed = re.search(r"Error merging override (.+)", text)
    where = re.search(r"full_key: (\S+)", text + "\n" + cause)
    subject = blamed[1] if blamed else path.name + (f": {where[1]}" if where else "")
    # Hydra's first line says that composing failed, the first line of the cause says why.
    lines = [line for line in (cause or text).splitlines() if "raised while composing" not in line]
    return BadInput(f"{subject}: {lines[0] if lines else text}")


def malformed(path: Path, error: yaml.YAMLError) -> BadInput:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    return BadInput(f"{path}{line}: malformed YAML: {getattr(error, 'problem', error)}")
