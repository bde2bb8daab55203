"""The command that trains one entry of a leaderboard again."""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from darbench.records.setting import identity_defaults
from darbench.records.settings import Training

# Hydra's override grammar reads these strings literally, without quotes.
_PLAIN = re.compile(r"(?!(null|true|false|nan|inf)$)[A-Za-z_][\w./-]*", re.IGNORECASE | re.ASCII)


def reproduce_command(
    config_json: str, seed: int = 0, files: Mapping[str, str] | None = None
) -> str:
    """`darbench train` with every setting of an entry spelled out, quoted for a POSIX shell.

    `files` are the declared paths of routings and encoders that are not built in.
    """
    config = json.loads(config_json)
    encoder = config["training"].get("repa", {}).get("encoder")
    own = [(files or {}).get(name) for name in (config["routing"], f"encoder {encoder}")]
    load = [word for file in dict.fromkeys(filter(None, own)) for word in ("--load", file)]
    words = ["darbench", "train", *load, "--task", config["task"]["name"]]
    words += ["--routing", config["routing"], f"task.extractor={config['task']['extractor']}"]
    # The identity leaves some settings out, and the task may set them to other than the default.
    config["training"] = identity_defaults(Training) | config["training"]
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
    """Quote for Hydra, where a backslash escapes a quote, and itself only before a quote."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"
