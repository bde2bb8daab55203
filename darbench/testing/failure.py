"""A message for an exception in a user's code, with the line it comes from."""

import linecache
import traceback
from collections.abc import Iterator
from types import FrameType, FunctionType

from darbench.routing.base import Routing

# What torch says, in several ways, where a value is asked of a tensor that has a form alone.
WITHOUT_CONTENT = ("meta tensor", "meta device", "data-independent")
MASK = (
    "FLOPs are counted on tensors without content: no Python `if`, item() or nonzero() on what is "
    "computed or drawn; use a mask, such as v * (torch.rand(len(v), 1, 1) > p)"
)


def explain(error: BaseException, cls: type) -> str:
    """Return a text like 'read(site=3) raised RuntimeError at mine.py:31 (`code`): message'."""
    said = str(error).strip() or "no message"
    said = MASK if any(words in said for words in WITHOUT_CONTENT) else said
    text = "\n".join([said, *getattr(error, "__notes__", ())])
    frames = list(_frames_in(error, files_of(cls)))
    if not frames:
        return f"{type(error).__name__}: {text}{_last_line(error)}"
    frame, line = frames[-1]
    first, _ = frames[0]
    site = first.f_locals.get("site")
    verb = first.f_code.co_name + (f"(site={site})" if isinstance(site, int) else "")
    filename = frame.f_code.co_filename
    code = linecache.getline(filename, line).strip()
    quoted = f" (`{code}`)" if code else ""
    return f"{verb} raised {type(error).__name__} at {filename}:{line}{quoted}: {text}"


def files_of(cls: type) -> set[str]:
    """The files in which the class and its bases below Routing are written."""
    classes = [c for c in getattr(cls, "__mro__", ()) if issubclass(c, Routing)]
    classes = [c for c in classes if c is not Routing]
    members = [member for c in classes for member in vars(c).values()]
    getters = [m.fget if isinstance(m, property) else m for m in members]
    files = {f.__code__.co_filename for f in getters if isinstance(f, FunctionType)}
    return files - {Routing.take.__code__.co_filename}  # a verb may be derived from another one


def _frames_in(error: BaseException, files: set[str]) -> Iterator[tuple[FrameType, int]]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename in files:
            yield frame, line


def _last_line(error: BaseException) -> str:
    frames = list(traceback.walk_tb(error.__traceback__))
    return f" (at {frames[-1][0].f_code.co_filename}:{frames[-1][1]})" if frames else ""
