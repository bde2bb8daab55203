"""Who is known by which name: routings, and encoders for representation alignment."""

from darbench.registry.parameters import Parameter, Signature, parameter
from darbench.registry.registry import (
    GROUP,
    VERBS,
    adopt,
    foreign,
    is_foreign,
    register,
    routing,
    routings,
    signature,
    signatures,
)
from darbench.registry.source import file_of, source_hash

__all__ = [
    "GROUP",
    "VERBS",
    "Parameter",
    "Signature",
    "adopt",
    "file_of",
    "foreign",
    "is_foreign",
    "parameter",
    "register",
    "routing",
    "routings",
    "signature",
    "signatures",
    "source_hash",
]
