"""A field of the settings: its default, its rules and its doc in one place."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from darbench.records.canonical import one_form

# When an identity contains a field.
ALWAYS = "always"
IF_CHANGED = "if changed"  # for a later field: trials with its default keep their ids
NEVER = "never"  # for a field that does not decide the result


@dataclass(frozen=True)
class Rule:
    """A condition on a setting; `holds` takes its value and the settings that it belongs to."""

    says: str
    holds: Callable[[Any, Any], bool]

    def or_null(self) -> "Rule":
        return Rule(f"{self.says}, or null", lambda v, s: v is None or self.holds(v, s))


def setting(default: Any, *rules: Rule, doc: str, in_identity: str = ALWAYS) -> Any:
    """Return a dataclass field with rules; `doc` is its line in docs/settings.md."""
    metadata = {"doc": doc, "rules": rules, "in_identity": in_identity}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


class Settings:
    """A base for frozen dataclasses of settings: it checks all rules and makes the identity."""

    SECTION = ""  # the dotted name of the group; without annotation, for it is no field

    def __post_init__(self):
        for each in fields(self):
            value = _one_form(getattr(self, each.name), each.type)
            object.__setattr__(self, each.name, value)
            for rule in each.metadata.get("rules", ()):
                _check(f"{self.SECTION}.{each.name}", value, rule, self)

    def identity(self) -> dict[str, Any]:
        """Return the settings that decide the result, as plain values."""
        return {
            each.name: value.identity() if isinstance(value, Settings) else value
            for each in fields(self)
            if _is_identifying(each, value := getattr(self, each.name))
        }


def _one_form(value: Any, kind: Any) -> Any:
    """Return the value with the numbers in it in `one_form`, floats where the field has floats."""
    if isinstance(value, tuple):
        return tuple(one_form(each, real=float in get_args(kind)) for each in value)
    return one_form(value, real=kind is float)


def _check(name: str, value: Any, rule: Rule, settings: Settings) -> None:
    shown = list(value) if isinstance(value, tuple) else value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}={shown}: must be finite")
    if not rule.holds(value, settings):
        raise ValueError(f"{name}={shown}: must be {rule.says}")


def _is_identifying(each: Any, value: Any) -> bool:
    when = each.metadata.get("in_identity", ALWAYS)
    return when == ALWAYS or (when == IF_CHANGED and value != each.default)


def identity_defaults(cls: type) -> dict[str, Any]:
    """Return, by name, the defaults that an identity leaves out."""
    later = (each for each in fields(cls) if each.metadata.get("in_identity") == IF_CHANGED)
    return {each.name: each.default for each in later}


def at_least(least: float) -> Rule:
    return Rule(f"at least {least}", lambda v, _: v >= least)


def one_of(*names: str) -> Rule:
    return Rule("one of " + ", ".join(names), lambda v, _: v in names)


POSITIVE = Rule("positive", lambda v, _: v > 0)
ZERO_OR_MORE = Rule("0 or more", lambda v, _: v >= 0)
SHARE = Rule("in [0, 1]", lambda v, _: 0 <= v <= 1)
SHARE_BELOW_ONE = Rule("in [0, 1)", lambda v, _: 0 <= v < 1)
POSITIVE_SHARE = Rule("in (0, 1]", lambda v, _: 0 < v <= 1)
PROPER_SHARE = Rule("in (0, 1)", lambda v, _: 0 < v < 1)
