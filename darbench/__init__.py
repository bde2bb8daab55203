"""darbench: architecture-search benchmark suite for residual routing in diffusion transformers.

The public names are imported when they are first used (PEP 562), so that `import darbench` and
`darbench --help` do not import torch.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Routing": "darbench.routing.base",
    "Cond": "darbench.routing.base",
    "register": "darbench.registry",
    "register_encoder": "darbench.registry.encoders",
    "SearchSpace": "darbench.search.space",
    "Trial": "darbench.records.trial",
    "Leaderboard": "darbench.board.leaderboard",
    "sweep": "darbench.search.sweep",
    "load_results": "darbench.store.tables",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'darbench' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
