"""From text to values: Hydra composes a space from YAML and overrides, and reads no data."""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from darbench.errors import BadInput, unknown
from darbench.search.axes import fixed, grounds, overridden, read_axes
from darbench.search.files import find_space, recipe
from darbench.search.ground import GROUND
from darbench.search.hydra_errors import check_overrides, override_item, translated
from darbench.search.idle import need_effect, need_one_trial
from darbench.search.seeds import default_seeds
from darbench.search.space_file import read_space
from darbench.search.sweep_config import SweepConfig

Values = dict[str, Any]  # plain values: the keys of SweepConfig, those of GROUND in `grounds`
GIVEN = "darbench space"  # Hydra's name for the file, whatever its own: no file has this one
_HYDRA = threading.Lock()  # Hydra's compose keeps global state


def compose_space(
    space: str, overrides: Iterable[str] = (), *, quick: bool = False, own: Iterable[str] = ()
) -> Values:
    """Return the values of a space, given its name or YAML file and Hydra overrides.

    quick puts the task's own short-run overrides before the given ones; `own` routings join the
    variants with their defaults, unless the space names them. BadInput says what is wrong where,
    and what would work.
    """
    path = find_space(space)
    overrides = [*map(str, overrides)]
    values = _with_grounds(path, overrides, quick=quick)
    values["name"] = values["name"] or path.stem
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", values["name"]):
        raise BadInput(
            f"{path}: name={values['name']!r} names a folder; use letters, digits, . _ and -"
        )
    named = [v.get("routing") for v in values["variants"] if isinstance(v, Mapping)]
    values["variants"] += [{"routing": name} for name in own if name not in named]
    return values


def compose_trial(routing: str, task: str, overrides: Iterable[str] = (), seed: int = 0) -> Values:
    """Return the values of a space of one variant and one seed.

    Overrides are those of a space, and params.KEY=VALUE for the routing.
    """
    params, others = routing_parameters(overrides)
    need_one_trial(others)
    values = _with_grounds(recipe("single"), [f"task={task}", *others])
    if values["variants"]:
        raise BadInput("variants: one trial has one; give --routing and params.KEY=VALUE")
    return values | {"variants": [{"routing": routing, "params": params}], "seeds": [seed]}


def _with_grounds(path: Path, overrides: list[str], *, quick: bool = False) -> Values:
    """Return the values with those of every ground; whatever else differs is of the first task."""
    values = _compose(path, overrides)
    axes = read_axes(values["axes"])
    tasks = () if "task" in fixed(axes, _items(overrides)) else axes.get("task", ())
    # Each task is composed by itself, for its card sets more than the task.
    given = [[f"task={task}", *overrides] for task in tasks] or [overrides]
    several = [(_compose(path, each), each) for each in given] if tasks else [(values, overrides)]
    if quick:
        several = [_quick(path, *each) for each in several]
    made = [
        ground for own, each in several for ground in grounds(own, axes, fixed(axes, _items(each)))
    ]
    for own, _ in several:
        need_effect(own, overrides)
    shared = {key: value for key, value in several[0][0].items() if key not in GROUND}
    return shared | {"grounds": made}


def _quick(path: Path, values: Values, overrides: list[str]) -> tuple[Values, list[str]]:
    """The values after the task's own short-run overrides and these, and all of them."""
    if not values["task"]["quick"]:
        raise BadInput(f"--quick: task {values['task']['name']} has no short form")
    overrides = [*values["task"]["quick"], *overrides]
    return _compose(path, overrides), overrides


def _items(overrides: Iterable[str]) -> list[tuple[str, Any]]:
    return [override_item(_quoted_home(override)) for override in overrides]


def routing_parameters(overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Split overrides into the routing's parameters, params.KEY=VALUE, and all others.

    A value is read as that of any other override, and so as in a space.
    """
    params, others = {}, []
    for override in overrides:
        key, equals, _ = override.lstrip("+").partition("=")
        if key.startswith("params.") and equals:
            (item,) = _items([override])
            params[key.removeprefix("params.")] = item[1]
        else:
            others.append(override)
    return params, others


def _compose(path: Path, overrides: list[str]) -> Values:
    """Return the plain values of the composed file."""
    overrides = [*map(_quoted_home, overrides)]
    given = read_space(path)
    check_overrides(overrides)
    overrides, of_axes = _apart(overrides, "axes")
    overrides, of_tune = _apart(overrides, "tune.over")
    store = ConfigStore.instance()
    schema = _thaw(OmegaConf.structured(SweepConfig))
    store.store(group="darbench", name="sweep", package="_global_", node=schema)
    shipped = "hydra.searchpath=[pkg://darbench.conf]"
    with _HYDRA, initialize_config_dir(config_dir=str(path.parent), version_base="1.3"):
        try:
            store.store(name=GIVEN, node=given)
            config = compose(GIVEN, overrides=[shipped, *overrides])
            missing = OmegaConf.missing_keys(config)
            values = OmegaConf.to_container(config, resolve=True)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
            raise translated(path, _keys(SweepConfig()), error) from error
    values["axes"] = overridden(values["axes"], _items(of_axes), "axes")
    values["tune"]["over"] = overridden(values["tune"]["over"], _items(of_tune), "tune.over")
    if values["seeds"] is None:
        values["seeds"] = default_seeds(values["sampler"])
    _same_keys(values, OmegaConf.to_container(OmegaConf.structured(SweepConfig)))
    if missing or values["task"]["name"] == "???":
        raise BadInput(f"{path}: no task; add `- task: digits-nano` to its defaults list")
    return values


def _quoted_home(override: str) -> str:
    """Quote the value of KEY=~/FOLDER, for Hydra's grammar takes ~ only in quotes."""
    key, equals, value = override.partition("=")
    if not value.startswith("~"):
        return override
    escaped = value.replace("'", r"\'")
    return f"{key}{equals}'{escaped}'"


def _apart(overrides: list[str], key: str) -> tuple[list[str], list[str]]:
    """The overrides of all else, and those of a key or of what stands below it."""
    own = [each for each in overrides if re.match(rf"[+~]*{re.escape(key)}(\.|=|$)", each)]
    return [each for each in overrides if each not in own], own


def _same_keys(given: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse keys that Hydra's + added although nobody reads them, or its ~ removed."""
    for key in wanted.keys() - given.keys():
        raise BadInput(f"{prefix}{key} is missing; it cannot be taken away, only be changed")
    for key, value in given.items():
        if key not in wanted:
            raise unknown("key", f"{prefix}{key}", _keys(SweepConfig()))
        if isinstance(wanted[key], dict) and wanted[key]:  # an empty mapping takes any keys
            _same_keys(value, wanted[key], f"{prefix}{key}.")


def _thaw(node: DictConfig) -> DictConfig:
    """Make a configuration of frozen dataclasses writable, for Hydra must change it."""
    node._set_flag("readonly", None)
    for child in (node._get_node(key) for key in node):
        if isinstance(child, DictConfig):
            _thaw(child)
    return node


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields of nested dataclasses."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if hasattr(value, "__dataclass_fields__"):
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name
