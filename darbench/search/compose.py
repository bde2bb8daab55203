"""Search spaces from YAML: Hydra composes them, and its complaints become one clear line."""

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from darbench.errors import BadInput, unknown
from darbench.records.canonical import content_hash
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Trial
from darbench.registry import Signature
from darbench.search.space import SearchSpace, build_space

_HYDRA = threading.Lock()  # Hydra's compose keeps global state


@dataclass(kw_only=True)
class Confirm:
    """The second pass of a random or tpe sweep: the best configurations on fresh seeds."""

    top: int = 3
    seeds: list[int] = field(default_factory=lambda: [100, 101, 102])


@dataclass(kw_only=True)
class SweepConfig:
    """Keys, types and defaults of a search space: `darbench: sweep` in its defaults list."""

    name: str = ""
    summary: str = ""
    sampler: str = "grid"  # grid | random | tpe
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    trials: int = 20
    confirm: Confirm = field(default_factory=Confirm)
    variants: list[Any] = field(default_factory=list)
    # Variants that must do worse than `add`, which stands among them.
    controls: list[Any] = field(default_factory=lambda: [{"routing": "add"}])
    task: Task = field(default_factory=Task)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    evaluation: Evaluation = field(default_factory=Evaluation)


def spaces_folder() -> Path:
    """The shipped search spaces: in the package, or beside it in a source tree."""
    package = Path(__file__).parents[1]
    shipped = package / "search_spaces"
    return shipped if shipped.is_dir() else package.parent / "search_spaces"


def tasks_folder() -> Path:
    return Path(__file__).parents[1] / "conf" / "task"


def cards(folder: Path) -> dict[str, dict]:
    """The YAML files of a folder by name, as plain mappings, for listing."""
    found = sorted(folder.glob("*.yaml"))
    return {path.stem: yaml.safe_load(path.read_text()) or {} for path in found}


def load_space(
    space: str,
    overrides: Iterable[str],
    signatures: Mapping[str, Signature],
    *,
    quick: bool = False,
    own: Iterable[str] = (),
) -> SearchSpace:
    """The space of that name, or in that YAML file, with Hydra overrides such as seeds=[0,1].

    quick puts the task's own short-run overrides before the given ones; `own` routings join the
    variants with their defaults, unless the space names them. BadInput says what is wrong where,
    and what would work.
    """
    path = _find(space)
    overrides = [*map(str, overrides)]
    config = _compose(path, overrides)
    if quick:
        config = _compose(path, [*config["task"]["quick"], *overrides])
    config["name"] = config["name"] or path.stem
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", config["name"]):
        raise BadInput(
            f"{path}: name={config['name']!r} names a folder; use letters, digits, . _ and -"
        )
    named = [v.get("routing") for v in config["variants"] if isinstance(v, Mapping)]
    config["variants"] += [{"routing": name} for name in own if name not in named]
    _identify(config)
    try:
        return build_space(config, signatures)
    except ValueError as error:
        raise BadInput(f"{path.name}: {error}") from None


def outline(space: str, overrides: Iterable[str]) -> dict[str, Any]:
    """The values of a space, before anyone has looked at its variants or for its data."""
    path = _find(space)
    config = _compose(path, [*map(str, overrides)])
    return config | {"name": config["name"] or path.stem}


def load_trial(
    routing: str,
    task: str,
    overrides: Iterable[str],
    seed: int,
    signatures: Mapping[str, Signature],
) -> Trial:
    """One trial of a task; overrides are params.KEY=VALUE of the routing, and those of a space."""
    config = _single(routing, task, overrides, seed)
    _identify(config)
    return _trial(config, seed, signatures)


def load_card(task: str, overrides: Iterable[str], signatures: Mapping[str, Signature]) -> Trial:
    """The trial of `add` that a task stands for, before anyone has looked for its data."""
    config = _single("add", task, overrides, 0)
    _align(config)
    return _trial(config, 0, signatures)


def _single(routing: str, task: str, overrides: Iterable[str], seed: int) -> dict[str, Any]:
    path = Path(__file__).parents[1] / "conf" / "single.yaml"
    params, others = routing_parameters(overrides)
    config = _compose(path, [f"task={task}", *others])
    if config["variants"]:
        raise BadInput("variants: one trial has one; give --routing and params.KEY=VALUE")
    return config | {"variants": [{"routing": routing, "params": params}], "seeds": [seed]}


def _trial(config: dict[str, Any], seed: int, signatures: Mapping[str, Signature]) -> Trial:
    try:
        space = build_space(config, signatures)
    except ValueError as error:
        raise BadInput(str(error).removeprefix("variants[0]: ")) from None
    searched = [f"params.{key}" for key in space.entries[0].domains]
    if searched:
        raise BadInput(f"{searched[0]}: one trial takes one value; to search, write a space")
    return space.trial(next(space.grid()), seed, "confirm")


def _identify(config: dict[str, Any]) -> None:
    """Fill in what the task stands for, and what only the files that are named can tell."""
    _align(config)
    config["task"] |= _content(config["task"])


def _align(config: dict[str, Any]) -> None:
    """Of representation alignment: which encoder it is, and the fingerprint of its weights."""
    if config["training"]["objective"] != "repa":
        return
    from darbench import data
    from darbench.registry import ENCODERS  # with torch, not needed for other recipes
    from darbench.trial import encoders

    task, repa = config["task"], config["training"]["repa"]
    encoders.need_pictures(data.kind(task["data"]).shape[0])
    repa["encoder"] = repa["encoder"] or encoders.default_encoder(task["extractor"])
    own = repa["encoder"] in ENCODERS.names()
    prints = [ENCODERS.source_hash(repa["encoder"])] if own else []
    weights = Path(os.path.expanduser(repa["weights"]))
    if weights.is_file():  # where it is not, the encoder says what is wrong
        with weights.open("rb") as file:
            prints.append(hashlib.file_digest(file, "sha256").hexdigest()[:16])
        repa["weights"] = str(weights.absolute())
    if prints:
        repa["fingerprint"] = prints[0] if len(prints) == 1 else content_hash(prints)


def _content(task: Mapping[str, Any]) -> dict[str, str]:
    """As `content`; of a task that ships, an error names its doctor."""
    from darbench import data  # with torch, which other tasks do not need here

    has_doctor = data.from_files(task["data"]) and task["name"] in cards(tasks_folder())
    try:
        return content(task)
    except BadInput as error:
        hint = f"; see `darbench doctor {task['name']}`" if has_doctor else ""
        raise BadInput(f"{error}{hint}") from None


def content(task: Mapping[str, Any]) -> dict[str, str]:
    """Where the files of the task's data lie, from anywhere, and the fingerprint of what is in
    them; BadInput if the task declares another one."""
    from darbench import data

    if not data.from_files(task["data"]):
        for key in ("data_path", "fingerprint"):
            if task[key]:
                raise BadInput(
                    f"task.{key}={task[key]}: {task['data']} are no files; leave it out"
                )
        return {}
    path = os.path.expanduser(task["data_path"])  # which leaves ~NOBODY as it is
    path = path and os.path.realpath(path)
    found = data.load(task["data"], path).fingerprint
    if task["fingerprint"] not in ("", found):
        raise BadInput(
            f"{path}: holds data of fingerprint {found}, task {task['name']} is of "
            f"{task['fingerprint']}; give the task.data_path of those, or task.fingerprint={found}"
        )
    return {"data_path": path, "fingerprint": found}


def departure(task: Task) -> str:
    """In what the data that lie here for a task that ships differ from those that it is of; empty
    where in nothing. Of a task of the user's own there is nothing to say."""
    from darbench import data

    if task.name not in cards(tasks_folder()):
        return ""
    differs = data.kind(task.data).departure(data.load(task.data, task.data_path))
    return differs and f"{task.name}: {differs}; only results on the same files compare"


def routing_parameters(overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The routing's parameters among overrides, params.KEY=VALUE, and the other overrides."""
    params, others = {}, []
    for override in overrides:
        key, equals, value = override.lstrip("+").partition("=")
        if key.startswith("params.") and equals:
            params[key.removeprefix("params.")] = _value(override, value)
        else:
            others.append(override)
    return params, others


def _value(override: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadInput(
            f"{override}: malformed value: {getattr(error, 'problem', error)}"
        ) from None


def _find(space: str) -> Path:
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


def _compose(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Plain values of the composed file."""
    overrides = [*map(_quoted_home, overrides)]
    _parse(path)
    ConfigStore.instance().store(
        group="darbench",
        name="sweep",
        package="_global_",
        node=_thaw(OmegaConf.structured(SweepConfig)),
    )
    shipped = "hydra.searchpath=[pkg://darbench.conf]"
    with _HYDRA, initialize_config_dir(config_dir=str(path.parent), version_base="1.3"):
        try:
            config = compose(path.stem, overrides=[shipped, *overrides])
            missing = OmegaConf.missing_keys(config)
            plain = OmegaConf.to_container(config, resolve=True)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
            raise _translated(path, overrides, error) from error
    _same_keys(plain, OmegaConf.to_container(OmegaConf.structured(SweepConfig)))
    if missing or plain["task"]["name"] == "???":
        raise BadInput(f"{path}: no task; add `- task: digits-nano` to its defaults list")
    return plain


def _same_keys(given: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> None:
    """Hydra's + adds keys that nobody reads, its ~ takes away some that are needed."""
    for key in wanted.keys() - given.keys():
        raise BadInput(f"{prefix}{key} is missing; it cannot be taken away, only be changed")
    for key, value in given.items():
        if key not in wanted:
            raise unknown("key", f"{prefix}{key}", _keys(SweepConfig()))
        if isinstance(wanted[key], dict) and wanted[key]:  # an empty one takes keys of any name
            _same_keys(value, wanted[key], f"{prefix}{key}.")


def _parse(path: Path) -> None:
    """Refuse what is no YAML mapping, or does not build on the sweep's schema."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise _malformed(path, error) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    defaults = given.get("defaults") if isinstance(given, dict) else None
    if not isinstance(defaults, list) or {"darbench": "sweep"} not in defaults:
        raise BadInput(
            f"{path}: not a search space; start it with "
            "`defaults: [{darbench: sweep}, {task: digits-nano}, _self_]`"
        )


def _malformed(path: Path, error: yaml.YAMLError) -> BadInput:
    mark = getattr(error, "problem_mark", None)
    line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
    return BadInput(f"{path}{line}: malformed YAML: {getattr(error, 'problem', error)}")


def _thaw(node: DictConfig) -> DictConfig:
    """Frozen dataclasses make read-only configurations; composing must be able to write them."""
    node._set_flag("readonly", None)
    for child in (node._get_node(key) for key in node):
        if isinstance(child, DictConfig):
            _thaw(child)
    return node


def _translated(path: Path, overrides: list[str], error: Exception) -> BadInput:
    """Hydra's message, with near names for a key and the reason for a value."""
    if isinstance(error, yaml.YAMLError):  # a duplicate key, which plain YAML lets pass
        return _malformed(path, error)
    text, cause = str(error), str(error.__cause__ or "")
    key = re.search(r"Could not override '([^']+)'", text)
    if key and key[1].startswith("variants."):
        return BadInput(f"{key[1]}: that variant does not give it; to add it, write +{key[1]}=...")
    if key:
        return unknown("override key", key[1], _keys(SweepConfig()))
    stranger = re.search(r"Key '([^']+)' not in '(\w+)'\n\s+full_key: (\S+)", text + "\n" + cause)
    if stranger:
        return BadInput(f"{path}: {unknown('key', stranger[3], _keys(SweepConfig()))}")
    option = re.search(r"Could not find '([\w/]+)/([^']*)'", text)
    if option and option[1] == "task":
        return unknown("task", option[2], (p.stem for p in tasks_folder().glob("*.yaml")))
    if option:
        return BadInput(f"{path.name}: there is no '{option[1]}: {option[2]}' to build on")
    ambiguous = re.search(r"Ambiguous value for argument '([^']+)'", text)
    if ambiguous:
        name, _, value = ambiguous[1].partition("=")
        return BadInput(f"{ambiguous[1]}: for a list write {name}=[{value}]")
    unparsed = _unparsed(overrides)
    if unparsed is not None:
        return BadInput(
            f"override '{unparsed}': write KEY=VALUE, such as training.steps=200; "
            "a value with special characters goes in quotes within the quotes of the shell"
        )
    blamed = re.search(r"Error merging override (.+)", text)
    where = re.search(r"full_key: (\S+)", text + "\n" + cause)
    place = blamed[1] if blamed else path.name + (f": {where[1]}" if where else "")
    # Hydra's first line says that composing failed, the first of the cause why.
    said = [line for line in (cause or text).splitlines() if "raised while composing" not in line]
    return BadInput(f"{place}: {said[0] if said else text}")


def _quoted_home(override: str) -> str:
    """KEY=~/FOLDER as Hydra's grammar takes it, which knows ~ in quotes only."""
    key, equals, value = override.partition("=")
    if not value.startswith("~"):
        return override
    escaped = value.replace("'", r"\'")
    return f"{key}{equals}'{escaped}'"


def _unparsed(overrides: list[str]) -> str | None:
    """The first override that is none to Hydra's parser."""
    parser = OverridesParser.create()
    for override in overrides:
        try:
            key = parser.parse_override(override).key_or_group
        except HydraException:
            return override
        if not key:
            return override
    return None


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all fields of nested dataclasses."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if hasattr(value, "__dataclass_fields__"):
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name
