"""The files of search spaces and tasks: those that ship, and a user's own."""

import os
from importlib.resources import files
from pathlib import Path

import yaml

from darbench.errors import BadInput, unknown


def package() -> Path:
    return Path(str(files("darbench")))


def spaces_folder() -> Path:
    """Return the folder of shipped spaces: in the package, or beside it in a source tree."""
    shipped = package() / "search_spaces"
    return shipped if shipped.is_dir() else package().parent / "search_spaces"


def tasks_folder() -> Path:
    return package() / "conf" / "task"


def recipe(name: str) -> Path:
    """Return the file of a space that a command runs, such as `noise_floor`."""
    return package() / "conf" / f"{name}.yaml"


def control() -> Path:
    """Return the file of the routing that ships as a control alone, for no check passes it."""
    return package() / "commands" / "shut.py"


def find_plugin(file: Path) -> Path:
    """Return the file, or the control's where the command of its entry names it elsewhere."""
    return control() if file == Path(control().name) and not file.exists() else file


def cards(folder: Path) -> dict[str, dict]:
    """Return the YAML files of a folder by name, as plain mappings, for listing."""
    paths = sorted(folder.glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in paths}


def find_space(space: str) -> Path:
    """Return the file of a space, given the name of a shipped one or the path of a file.

    BadInput if there is none.
    """
    if "/" in space or space.endswith((".yaml", ".yml")):
        path = Path(os.path.expanduser(space)).resolve()
        if not path.is_file():
            raise BadInput(f"no search space file at {path}")
        if path.suffix != ".yaml":
            raise BadInput(f"{path}: the name of a search space file must end in .yaml")
        return path
    folder = spaces_folder()
    path = folder / f"{space}.yaml"
    if not path.is_file():
        error = unknown("search space", space, (p.stem for p in folder.glob("*.yaml")))
        raise BadInput(f"{error} (or give the path of a .yaml file)")
    return path
