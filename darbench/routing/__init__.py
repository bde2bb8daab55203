"""Residual routings, one paper per file, behind the interface of `base`.

Importing this package registers the built-in ones.
"""

from darbench.routing import (
    add,
    attnres,
    dar,
    deepnorm,
    delta_attnres,
    denseformer,
    highway,
    hyper,
    layerscale,
    mgr,
    mhc,
    mudd,
    mvsplit,
    rezero,
    siamese,
    static_scalars,
    unet,
)

__all__ = [
    "add",
    "attnres",
    "dar",
    "deepnorm",
    "delta_attnres",
    "denseformer",
    "highway",
    "hyper",
    "layerscale",
    "mgr",
    "mhc",
    "mudd",
    "mvsplit",
    "rezero",
    "siamese",
    "static_scalars",
    "unet",
]
