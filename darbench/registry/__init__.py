"""Who is known by which name: routings, and encoders for representation alignment."""

from darbench.registry.encoders import ENCODERS, register_encoder
from darbench.registry.parameters import Parameter, Signature, parameter
from darbench.registry.registry import GROUP, Registry
from darbench.registry.routings import ROUTINGS, register, signature, signatures
from darbench.registry.source import VERBS

__all__ = [
    "ENCODERS",
    "GROUP",
    "ROUTINGS",
    "VERBS",
    "Parameter",
    "Registry",
    "Signature",
    "parameter",
    "register",
    "register_encoder",
    "signature",
    "signatures",
]
