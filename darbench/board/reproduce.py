"""The command that trains one entry of a leaderboard again."""

import json
import re
import shlex
from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from darbench.records.setting import identity_defaults
from darbench.records.settings import Model, Training

# Hydra's override grammar reads these strings literally, without quotes.
_PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[A-Za-z_][\w./-]*", re.IGNORECASE | re.ASCII)

MADE = ("init_hash",)  # no task sets it: it is of a file, and empty without one


def reproduce_command(
    config_json: str, seed: int = 0, files: Mapping[str, str] | None = None
) -> str:
    """`darbench train` with every setting of an entry spelled out, quoted for a POSIX shell.

    It runs where the user's files lie: `files` are those of routings and encoders that are not
    built in. Empty where one of them was in a notebook, which no command can load.
    """
    config = json.loads(config_json)
    encoder = config["training"].get("repa", {}).get("encoder")
    own = [(files or {}).get(name) for name in (config["routing"], f"encoder {encoder}")]
    if "" in own:
        return ""
    names = dict.fromkeys(Path(file).name for file in own if file is not None)
    load = [word for name in names for word in ("--load", name)]
    task, overrides = overrides_of(config_json)
    where = ["--routing", config["routing"], *(["--task", task] if task else [])]
    return shlex.join(["darbench", "train", *load, *where, *overrides, "--seed", str(seed)])


def overrides_of(config_json: str) -> tuple[str, list[str]]:
    """The task that ships, if it does, and every setting of an entry as an override of it."""
    config = json.loads(config_json)
    task, words = _task(config["task"])
    # The identity leaves some settings out, and the task may set them to other than the default.
    for group in (Model, Training):
        config[group.SECTION] = identity_defaults(group) | config[group.SECTION]
    for group in ("params", "model", "training", "evaluation"):
        given = {key: v for key, v in sorted(config[group].items()) if key not in MADE or v}
        words += [f"{group}.{key}={literal(v)}" for key, v in given.items()]
    return task, words


def _task(task: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of a task that ships, or none, and the words that make it what it is."""
    ships = (package_files("darbench") / "conf" / "task" / f"{task['name']}.yaml").is_file()
    data, _, fingerprint = task["data"].partition("@")
    given = {**task, "data": data} | ({"fingerprint": fingerprint} if fingerprint else {})
    given = {key: value for key, value in given.items() if key != "name" or not ships}
    own = [f"task.{key}={literal(value)}" for key, value in sorted(given.items())]
    return (task["name"] if ships else ""), own


def literal(value: Any) -> str:
    """A value in Hydra's override grammar."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(v)}" for key, v in value.items()) + "}"
    return "[" + ",".join(literal(v) for v in value) + "]"


def _quoted(text: str) -> str:
    """Quote for Hydra, where a backslash escapes a quote, and itself only before a quote."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"
