"""Writes docs/settings.md from the fields of a search space: python docs/settings.py"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from darbench.search.sweep_config import SweepConfig

PAGE = Path(__file__).with_suffix(".md")
HEAD = """\
<!-- Written by docs/settings.py from the fields themselves: change those, and run it. -->
# Settings

Every setting of a search space, and of the command line as `KEY=VALUE` behind the verb. The
defaults are those of a space that says nothing; a task sets its own, which `darbench describe
TASK` shows. The command line wins over the space, and the space over the task. A list goes in
brackets and, for a shell's sake, in quotes: `'seeds=[0,1]'`,
`'variants=[{routing: add},{routing: dar}]'`.
"""
TITLES = {
    "": "The space",
    "task": "The task",
    "model": "The backbone",
    "training": "The recipe",
    "evaluation": "The evaluation",
}
NOTES = {"task": "`task=NAME` takes a shipped one; a file of your own is a space that sets these."}
TAIL = """\
## Routing parameters

`darbench list routings` names the parameters of every routing with their values. In a space they
stand under a variant's `params`; behind `darbench train --routing NAME` and `darbench check NAME`
they are `params.KEY=VALUE`.
"""


def page() -> str:
    parts = [HEAD]
    for room, title in TITLES.items():
        lines = [line for key, line in rows(SweepConfig()) if section(key) == room]
        table = "\n".join(["| setting | default | what |", "|---|---|---|", *lines])
        note = f"{NOTES[room]}\n\n" if room in NOTES else ""
        parts.append(f"## {title}\n\n{note}{table}\n")
    return "\n".join([*parts, TAIL])


def section(key: str) -> str:
    """The table that a setting stands in; those of the space itself have no word in front."""
    room = key.partition(".")[0]
    return room if room in TITLES else ""


def rows(settings: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and line of every setting, in the order of the fields."""
    for each in fields(settings):
        value = getattr(settings, each.name)
        if is_dataclass(value):
            yield from rows(value, f"{prefix}{each.name}.")
        else:
            key, what = prefix + each.name, each.metadata["doc"]
            yield key, f"| `{key}` | `{written(value)}` | {what} |"


def written(value: Any) -> str:
    """The value as YAML on one line."""
    if isinstance(value, str):
        return value or '""'
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True).splitlines()[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
