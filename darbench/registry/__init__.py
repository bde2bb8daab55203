"""Routings, and encoders for representation alignment, by name."""

from darbench.registry.built_in import is_built_in, signatures
from darbench.registry.encoders import ENCODERS, register_encoder
from darbench.registry.parameters import Parameter, Signature, parameter
from darbench.registry.registry import GROUP, Registry
from darbench.registry.routings import ROUTINGS, register, signature
from darbench.registry.source import VERBS

__all__ = [
    "ENCODERS",
    "GROUP",
    "ROUTINGS",
    "VERBS",
    "Parameter",
    "Registry",
    "Signature",
    "is_built_in",
    "parameter",
    "register",
    "register_encoder",
    "signature",
    "signatures",
]
