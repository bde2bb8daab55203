"""The axes of a space: settings whose every combination of values is a ground of its own.

`task` is one, and every setting that a variant can change. In YAML and in overrides they have
dotted names, which Hydra takes for nested ones; so they are unfolded before and flattened after.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.search.domains import Choices, Range, read_domain
from darbench.search.ground import CHANGED, GROUND, NOT_CHANGED, PARTS, changeable

TASK = "task"
Values = dict[str, Any]


def unfolded(given: Any) -> Any:
    """Return a mapping with nested names in place of dotted ones; anything else as it is."""
    if not isinstance(given, Mapping):
        return given
    nested: Values = {}
    for key, value in given.items():
        part, dot, name = str(key).partition(".")
        if dot and isinstance(nested.setdefault(part, {}), dict):
            nested[part][name] = value
        else:
            nested[part] = value
    return nested


def flattened(given: Mapping[str, Any], parts: Iterable[str]) -> Values:
    """Return a mapping with dotted names in place of those that are nested below `parts`."""
    flat: Values = {}
    for key, value in given.items():
        if key in parts and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def read_axes(given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Read the values of every axis, by name; BadInput says which axis is wrong, and why."""
    return {name: _read(name, value) for name, value in flattened(given, PARTS).items()}


def fixed(axes: Iterable[str], overrides: Iterable[tuple[str, Any]]) -> set[str]:
    """Return the axes that overrides, as keys and values, set to a value themselves."""
    named = {key for key, value in overrides for key in (key, *flattened({key: value}, PARTS))}
    return named.intersection(axes)


def grounds(
    values: Mapping[str, Any], axes: Mapping[str, tuple[Any, ...]], fixed: Collection[str]
) -> Iterator[Values]:
    """Yield the values of a ground for every combination of the axes, the last axis fastest.

    values: those of a space with one of its tasks. Axes that are `fixed` keep their value there.
    """
    choices = [axes[k] if k in axes.keys() - {TASK, *fixed} else [_at(values, k)] for k in axes]
    for combination in product(*choices):
        point = dict(zip(axes, combination, strict=True))
        ground = {part: dict(values[part]) for part in GROUND}
        for name in point.keys() - {TASK}:
            part, _, key = name.partition(".")
            ground[part][key] = point[name]
        yield ground | {"point": point}


def _read(name: str, value: Any) -> tuple[Any, ...]:
    where = f"axes.{name}"
    if name == TASK:
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(each, str) for each in names):
            raise BadInput(f"{where}={value!r}: must name tasks, such as [digits-nano]")
        return tuple(dict.fromkeys(names))
    part, _, key = name.partition(".")
    if name not in CHANGED and (part not in PARTS or key not in NOT_CHANGED):
        raise unknown("axis", name, [TASK, *CHANGED])
    try:
        domain = read_domain(changeable(name), value)
    except BadInput as error:
        raise BadInput(f"axes: {error}") from None
    if isinstance(domain, Range) and domain.step is None:
        raise BadInput(f"{where}: an axis is walked; give its range a step, or list its values")
    walked = domain.grid() if isinstance(domain, Range) else (domain,)
    return tuple(dict.fromkeys(domain.values if isinstance(domain, Choices) else walked))


def _at(values: Mapping[str, Any], name: str) -> Any:
    part, _, key = name.partition(".")
    return values[part][key or "name"]  # an axis of tasks is one of their names
