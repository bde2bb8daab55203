"""The search parameters of a routing: the keyword-only arguments of its constructor."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from darbench.errors import BadInput, unknown
from darbench.records.canonical import one_form

EXACT = 2**53  # up to there every whole number is a float
GIVEN = (bool, int, float, str, type(None))  # what a value of a space can be
# The words that YAML 1.1 takes for bools.
TRUTH = dict.fromkeys(("true", "yes", "on", "y"), True) | dict.fromkeys(
    ("false", "no", "off", "n"), False
)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A search parameter of a routing: a keyword-only argument of its constructor."""

    name: str
    default: Any
    types: tuple[type, ...]  # empty: any that the constructor takes
    choices: tuple[Any, ...] = ()

    @property
    def real(self) -> bool:
        """Whether it is a float, for which an integer can be given."""
        types = self.types or (type(self.default),)
        return float in types and int not in types

    @property
    def whole(self) -> bool:
        """Whether it can be an integer or a float, so that a whole number is the integer."""
        both = int in self.types and float in self.types
        return not self.choices and (both or not self.types) and not self.real

    def read(self, value: Any) -> Any:
        """Return the value as the constructor takes it, in the one form that it has in identities.

        An integer for a float becomes a float, and where both can be given a whole float becomes
        an integer. What equals the default is the default as the constructor writes it: left out,
        1 and 1.0 are the same configuration. `on` or `yes` is true for a bool and text elsewhere.
        BadInput unless the value has the declared type and is among the declared choices.
        """
        value = one_form(value, real=self.real)
        if self.whole and type(value) is float and value.is_integer() and abs(value) <= EXACT:
            value = int(value)
        if type(value) is type(self.default) and value == self.default:
            return self.default
        value = self._choice(value) if self.choices else self._typed(value)
        return self.default if self._is_default(value) else value

    def _typed(self, value: Any) -> Any:
        if bool in self.types and str not in self.types and isinstance(value, str):
            value = TRUTH.get(value.lower(), value)
        if self.types and type(value) not in self.types:
            wanted = " or ".join("null" if t is type(None) else t.__name__ for t in self.types)
            raise BadInput(f"{self.name}={value!r}: must be {wanted}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{self.name}={value}: must be finite")
        return value

    def _is_default(self, value: Any) -> bool:
        """Whether it equals a default of no declared type, such as a float's 1.

        Where no type is declared, or both are, 1 is 1.0, but not True.
        """
        if not all(isinstance(each, int | float) for each in (value, self.default)):
            return False
        if not self.types or self.whole:
            return value == self.default and bool not in (type(value), type(self.default))
        return value == self.default and type(self.default) not in self.types

    def _choice(self, value: Any) -> Any:
        """The choice that is the value, or the only text of a bool: `on`, where it is true."""
        # To Python a bool is an int, but not here.
        same = [c for c in self.choices if value == c and type(value) is type(c)]
        texts = [c for c in self.choices if isinstance(c, str)] if type(value) is bool else []
        same = same or [text for text in texts if TRUTH.get(text.lower()) is value]
        if len(same) != 1:
            choices = ", ".join("null" if c is None else str(c) for c in self.choices)
            raise BadInput(f"{self.name}={value}: must be one of {choices}")
        return same[0]

    def usual(self) -> Any:
        """Return the default; BadInput for one that no space and no command line can give."""
        if not isinstance(self.default, GIVEN):
            raise BadInput(
                f"the default of {self.name}, {self.default!r}, cannot be given in a space or on "
                "the command line; make it a bool, a number, text or None"
            )
        return self.default


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The parameters of a routing and the hash of its source; enough to check a search space."""

    name: str
    parameters: Mapping[str, Parameter]
    code_hash: str

    def parameter(self, key: str) -> Parameter:
        if key not in self.parameters:
            if not self.parameters:
                raise BadInput(f"routing '{self.name}' has no parameters, got '{key}'")
            raise unknown(f"parameter of routing '{self.name}':", str(key), self.parameters)
        return self.parameters[key]

    def resolve(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters: the given ones, which are checked, and defaults."""
        given = {key: self.parameter(key).read(value) for key, value in params.items()}
        return {k: given[k] if k in given else p.usual() for k, p in self.parameters.items()}


def parameter(name: str, default: Any, hint: Any) -> Parameter:
    """Make a parameter of a type annotation: a class, a Literal, or a union of either."""
    default = default.item() if getattr(default, "ndim", None) == 0 else default  # numpy's
    hints = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if hint is Any:
        return Parameter(name=name, default=default, types=())
    if all(get_origin(each) is Literal or each is type(None) for each in hints):
        choices = tuple(c for each in hints for c in get_args(each) or (None,))
        kinds = tuple({type(choice) for choice in choices})
        return Parameter(name=name, default=default, types=kinds, choices=choices)
    return Parameter(name=name, default=default, types=hints)
