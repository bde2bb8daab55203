"""A field of the settings: its default, its rules and its doc in one place."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

# Whether an identity says a field.
ALWAYS = "always"
IF_CHANGED = "if changed"  # it came later: trials that have its default keep the ids they had
NEVER = "never"  # it does not decide the result


@dataclass(frozen=True)
class Rule:
    """What a value must be. `holds` is given the value, and the settings that it is one of."""

    says: str
    holds: Callable[[Any, Any], bool]

    def or_null(self) -> "Rule":
        return Rule(f"{self.says}, or null", lambda v, s: v is None or self.holds(v, s))


def setting(default: Any, *rules: Rule, doc: str, said: str = ALWAYS) -> Any:
    """A dataclass field. `doc` is its line in docs/settings.md."""
    metadata = {"doc": doc, "rules": rules, "said": said}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


class Settings:
    """What the dataclasses of settings have in common: every rule holds, and an identity."""

    SECTION = ""  # the dotted name that they stand under; not annotated, for it is no field

    def __post_init__(self):
        for each in fields(self):
            value = getattr(self, each.name)
            for rule in each.metadata.get("rules", ()):
                _check(f"{self.SECTION}.{each.name}", value, rule, self)

    def identity(self) -> dict[str, Any]:
        """What decides the result, as plain values."""
        return {
            each.name: value.identity() if isinstance(value, Settings) else value
            for each in fields(self)
            if _is_said(each, value := getattr(self, each.name))
        }


def _check(name: str, value: Any, rule: Rule, settings: Settings) -> None:
    shown = list(value) if isinstance(value, tuple) else value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}={shown}: must be finite")
    if not rule.holds(value, settings):
        raise ValueError(f"{name}={shown}: must be {rule.says}")


def _is_said(each: Any, value: Any) -> bool:
    said = each.metadata.get("said", ALWAYS)
    return said == ALWAYS or (said == IF_CHANGED and value != each.default)


def unsaid(cls: type) -> dict[str, Any]:
    """The defaults that an identity does not say, by name of the field."""
    later = (each for each in fields(cls) if each.metadata.get("said") == IF_CHANGED)
    return {each.name: each.default for each in later}


def at_least(least: float) -> Rule:
    return Rule(f"at least {least}", lambda v, _: v >= least)


def one_of(*names: str) -> Rule:
    return Rule("one of " + ", ".join(names), lambda v, _: v in names)


POSITIVE = Rule("positive", lambda v, _: v > 0)
ZERO_OR_MORE = Rule("0 or more", lambda v, _: v >= 0)
SHARE = Rule("in [0, 1]", lambda v, _: 0 <= v <= 1)
SHARE_BELOW_ONE = Rule("in [0, 1)", lambda v, _: 0 <= v < 1)
PROPER_SHARE = Rule("in (0, 1)", lambda v, _: 0 < v < 1)
