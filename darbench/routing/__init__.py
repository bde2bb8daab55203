"""Residual routings, one paper per file, behind the interface of `base`.

Importing this package registers the built-in ones.
"""

from darbench.routing import add, dar, denseformer, hyper

__all__ = ["add", "dar", "denseformer", "hyper"]
