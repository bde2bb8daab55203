"""The command that trains one entry of a leaderboard again."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from darbench.records import UNSAID

# What Hydra's override grammar reads as this very string without quotes.
_PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[A-Za-z_][\w./-]*", re.IGNORECASE | re.ASCII)


def reproduce_command(entry: Mapping[str, Any], seed: int = 0, file: str = "") -> str:
    """`darbench train` with every setting of the entry spelled out, quoted for a POSIX shell.

    `entry` is a row of Leaderboard.frame: `routing` and `config_json` are read. `file` is where a
    routing that is not built in is written.
    """
    config = json.loads(entry["config_json"])
    load = ["--load", file] if file else []
    words = ["darbench", "train", *load, "--task", config["task"]["name"]]
    words += ["--routing", config["routing"], f"task.extractor={config['task']['extractor']}"]
    config["training"] = UNSAID | config["training"]  # of which the task may say something else
    for group in ("params", "model", "training", "evaluation"):
        words += [f"{group}.{key}={_literal(v)}" for key, v in sorted(config[group].items())]
    return shlex.join([*words, "--seed", str(seed)])


def _literal(value: Any) -> str:
    """A value in Hydra's override grammar."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _quoted(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_literal(v)}" for key, v in value.items()) + "}"
    return "[" + ",".join(_literal(v) for v in value) + "]"


def _quoted(text: str) -> str:
    """Hydra: a backslash escapes the quote, and itself only where a quote follows."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"
