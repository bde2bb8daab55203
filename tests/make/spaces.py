"""Search spaces: YAML files as a user would write them."""

import json
from pathlib import Path
from textwrap import dedent

from darbench import registry
from darbench.search.load import load_space
from darbench.search.space import SearchSpace

HEAD = "defaults: [{darbench: sweep}, {task: digits-nano}, _self_]\n"
# Settings of a trial that takes a fraction of a second: on the command line, and in a file.
_TINY = {
    "model": {"depth": 2, "width": 8, "heads": 2},
    "training": {"steps": 3, "batch": 8, "checkpoints": [0.5, 1.0]},
    "evaluation": {
        "n_gen": 72,
        "sampler": "euler",
        "sampler_steps": 1,
        "val_draws": 1,
        "grid": 12,
        "fd_from": 0.5,
    },
}
OVERRIDES = [
    f"{part}.{name}={json.dumps(value)}"
    for part, settings in _TINY.items()
    for name, value in settings.items()
]
TINY = "\n" + "".join(f"{part}: {json.dumps(settings)}\n" for part, settings in _TINY.items())


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    """A search space file of this text below the usual defaults; its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + dedent(text), encoding="utf-8")
    return str(path)


def load(folder: Path, text: str, *overrides: str) -> SearchSpace:
    return load_space(write(folder, text), overrides, registry.signatures())
