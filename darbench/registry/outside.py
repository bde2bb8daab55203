"""Whether code can compute another thing tomorrow, by what it imports: then its values count too.

Of code that imports tensors and pure parts of Python alone, its text says all; other code may look
at the environment, at which files there are, or into files by a reader that nobody hears.
"""

import ast
from collections.abc import Iterator
from functools import cache

from darbench.registry.syntax import names_read

PURE = {
    *("darbench", "torch", "numpy", "einops"),
    *("__future__", "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum"),
    *("functools", "heapq", "inspect", "itertools", "json", "math", "numbers", "operator", "re"),
    *("string", "textwrap", "types", "typing", "warnings", "weakref"),
}
# Names which, read together, are none the less a way out.
WAYS = ({"exec"}, {"eval"}, {"__import__"}, {"from_file"}, {"hub"}, {"jit", "load"})
# Names of what reads a file.
READERS = {"open", "load", "loadtxt", "genfromtxt", "fromfile", "memmap"}


@cache
def looks_outside(text: str, own: frozenset[str] = frozenset()) -> bool:
    """Whether a source looks at more than its text; `own` are names of the user's modules."""
    read = names_read(text)
    return any(name not in PURE | own for name in _tops(text)) or any(w <= read for w in WAYS)


def _tops(text: str) -> Iterator[str]:
    """Yield the first parts of the names that a source imports."""
    try:
        nodes = [*ast.walk(ast.parse(text))]
    except (SyntaxError, ValueError):  # such as a notebook cell with magic commands
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]
