"""Routings and encoders from a user's file, which runs only when the user names it."""

import hashlib
import linecache
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from darbench.errors import BadInput
from darbench.registry.encoders import ENCODERS
from darbench.registry.routings import ROUTINGS


def load_file(path: str | Path) -> list[str]:
    """Run a user's Python file and return the names of the routings it registers.

    BadInput if there is no such file, if it raises (with its own line), or registers neither a
    routing nor an encoder.
    """
    path = Path(os.path.expanduser(path)).resolve()
    try:
        source = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {path}: {getattr(error, 'strerror', error)}") from None
    name = f"darbench_user_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    linecache.checkcache(str(path))
    sys.modules[name] = module
    if str(path.parent) not in sys.path:  # so that it can import its neighbours, as a script can
        sys.path.append(str(path.parent))
    before = ROUTINGS.items()
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from None
    except Exception as error:
        raise BadInput(f"{line_of(error, path)}: {type(error).__name__}: {error}") from error
    made = [n for n, cls in ROUTINGS.items() if cls.__module__ == name]
    if not made and all(e.__module__ != name for _, e in ENCODERS.items()):
        taken = ", ".join(n for n, cls in before if cls.__name__ in vars(module))
        raise BadInput(
            f"{path.name}: registers no routing of its own"
            + (f" ({taken} exists already)" if taken else "")
            + '; decorate the class with @darbench.register("my_name"), '
            'or an encoder with @darbench.register_encoder("my_name")'
        )
    return made


def line_of(error: Exception, path: Path) -> str:
    """Return file:line of the last frame in the user's file, or of its syntax error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path.name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f"{path.name}:{lines[-1]}" if lines else path.name
