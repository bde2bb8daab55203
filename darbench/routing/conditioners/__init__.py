"""How DAR's static queries come to depend on the timestep or the class, one way a file.

Importing this package registers the built-in ones.
"""

from darbench.routing.conditioners import bins, film, fourier, label, projection, reuse
from darbench.routing.conditioners.base import CONDITIONERS, Conditioner

__all__ = [
    "CONDITIONERS",
    "Conditioner",
    "bins",
    "film",
    "fourier",
    "label",
    "projection",
    "reuse",
]
