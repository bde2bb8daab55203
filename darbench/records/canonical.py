"""The canonical text of a value and its hash, of which every identity is made."""

import hashlib
import json
from typing import Any


def one_form(value: Any, *, real: bool = False) -> Any:
    """Return a number in the form that it has in identities; any other value as it is.

    That is a float for `real`, a plain number for a scalar of numpy, and 0.0 for -0.0: equal
    numbers are written in different ways, and a configuration is the same in each.
    """
    if getattr(value, "ndim", None) == 0:  # numpy is not imported for it
        value = value.item()
    if real and type(value) is int:
        value = float(value)
    return value + 0.0 if type(value) is float else value


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces, so that equal values have equal text.

    NaN is refused.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_hash(value: Any) -> str:
    """The first 16 hex digits of SHA-256 over the canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]
