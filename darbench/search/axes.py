"""The axes of a space: settings whose every combination of values is a ground of its own.

`task` is one, and every setting that a variant can change, by dotted name. Hydra takes an
override of such a name for one of nested mappings, and merges mappings: it does not see them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.search.domains import Choices, Range, read_domain
from darbench.search.ground import CHANGED, GROUND, NOT_CHANGED, PARTS, changeable
from darbench.search.multiple import Multiple, read_multiple

TASK = "task"
Values = dict[str, Any]


def flattened(given: Mapping[str, Any]) -> Values:
    """Return a mapping with dotted names in place of those that are nested."""
    flat: Values = {}
    for key, value in given.items():
        if key in ("params", *PARTS) and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def overridden(
    given: Mapping[str, Any], overrides: Iterable[tuple[str, Any]], key: str
) -> dict[str, Any]:
    """Return the values of the mapping `key` after overrides, as keys and values.

    Each replaces what stands under its name, whatever that is; null takes it away.
    """
    values = flattened(given)
    for name, value in overrides:
        if name != key:
            values[name.removeprefix(f"{key}.")] = value
        elif isinstance(value, Mapping | None):
            values = flattened(value or {})
        else:
            raise BadInput(f"{key}={value!r}: must be a mapping from settings to their values")
    return {name: value for name, value in values.items() if value is not None}


def read_axes(given: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Read the values of every axis, by name; BadInput says which axis is wrong, and why."""
    return {name: _read(name, value) for name, value in given.items()}


def fixed(axes: Iterable[str], overrides: Iterable[tuple[str, Any]]) -> set[str]:
    """Return the axes that overrides, as keys and values, set to a value themselves.

    An override of the axes that comes later makes them axes again.
    """
    held: set[str] = set()
    for key, value in overrides:
        if key == "axes":
            held.clear()
        held.discard(key.removeprefix("axes."))
        held.update({key, *flattened({key: value})})
    return held.intersection(axes)


def grounds(
    values: Mapping[str, Any], axes: Mapping[str, tuple[Any, ...]], fixed: Collection[str]
) -> Iterator[Values]:
    """Yield the values of a ground for every combination of the axes, the last axis fastest.

    values: those of a space with one of its tasks. Axes that are `fixed` keep their value there.
    """
    choices = [
        _chosen(axes[name], name, _at(values, name))
        if name in axes.keys() - {TASK, *fixed}
        else [_at(values, name)]
        for name in axes
    ]
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
    if name not in CHANGED and (part not in PARTS or key.partition(".")[0] not in NOT_CHANGED):
        raise unknown("axis", name, [TASK, *CHANGED])
    try:
        listed = value if isinstance(value, list) else [value]
        multiples = [read_multiple(changeable(name), each) for each in listed]
        if any(multiples):
            pairs = zip(multiples, listed, strict=True)
            return tuple(m or read_domain(changeable(name), each) for m, each in pairs)
        domain = read_domain(changeable(name), value)
    except BadInput as error:
        raise BadInput(f"axes: {error}") from None
    if isinstance(domain, Range) and domain.step is None:
        raise BadInput(f"{where}: an axis is walked; give its range a step, or list its values")
    if isinstance(domain, Range):
        walked = [float(f"{value:.12g}") for value in domain.grid()]  # 0.009, not 3 x 0.003
        return tuple(map(int, walked) if domain.integer else walked)
    return tuple(dict.fromkeys(domain.values if isinstance(domain, Choices) else [domain]))


def _chosen(values: Iterable[Any], name: str, usual: Any) -> Iterable[Any]:
    """The values of an axis where the setting is usually something; each once."""
    where = f"axes.{name}"
    return dict.fromkeys(v.of(where, usual) if isinstance(v, Multiple) else v for v in values)


def _at(values: Mapping[str, Any], name: str) -> Any:
    part, _, key = name.partition(".")
    return values[part][key or "name"]  # an axis of tasks is one of their names
