"""Routings and encoders from a user's file, which runs only when the user names it."""

import hashlib
import linecache
import os
import traceback
from dis import opname
from pathlib import Path
from types import TracebackType

from darbench.errors import BadInput
from darbench.registry.bundle import BUNDLES, Bundle
from darbench.registry.encoders import ENCODERS
from darbench.registry.imports import run_module
from darbench.registry.opens import watch
from darbench.registry.routings import ROUTINGS


def load_file(path: str | Path) -> list[str]:
    """Run a user's Python file and return the names of the routings it registers.

    BadInput if there is no such file, if it raises or ends the program (with its own line), or
    registers neither a routing nor an encoder.
    """
    path = Path(os.path.expanduser(path)).resolve()
    bundle = Bundle(path, f"darbench_user_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}")
    try:
        bundle.source(path)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    linecache.checkcache(str(path))
    watch()
    before = ROUTINGS.items()
    try:
        module = run_module(bundle)
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from None
    except BaseException as error:
        if is_interruption(error):
            raise
        raise BadInput(said(error, path)) from error
    made = [n for n, cls in ROUTINGS.items() if cls.__module__ == module.__name__]
    if not made and all(e.__module__ != module.__name__ for _, e in ENCODERS.items()):
        taken = ", ".join(n for n, cls in before if cls.__name__ in vars(module))
        raise BadInput(
            f"{path.name}: registers no routing of its own"
            + (f" ({taken} exists already)" if taken else "")
            + '; decorate the class with @darbench.register("my_name"), '
            'or an encoder with @darbench.register_encoder("my_name")'
        )
    return made


def said(error: BaseException, path: Path) -> str:
    """Return a line on an exception in a user's file, with file:line."""
    text = f"{line_of(error, path)}: {type(error).__name__}: {error}"
    if isinstance(error, Exception):
        return text
    return f"{text}; it ends the program: put that under `if __name__ == '__main__':`"


def is_interruption(error: BaseException) -> bool:
    """Whether an exception comes from Ctrl-C, and not from a statement that raises it."""
    return isinstance(error, KeyboardInterrupt) and not _is_raised(error.__traceback__)


def _is_raised(trace: TracebackType | None) -> bool:
    while trace and trace.tb_next:
        trace = trace.tb_next
    return bool(trace) and opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def line_of(error: BaseException, path: Path) -> str:
    """Return file:line of the last frame in a user's file or a neighbour, or of a syntax error."""
    own = {str(path)}
    for bundle in BUNDLES.values():
        own |= {*map(str, bundle.sources)} if bundle.path == path else set()
    if isinstance(error, SyntaxError) and error.filename in own:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in own]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else path.name
