"""The code of a Python source as one text: what it says to Python, without what it says to people.

Comments, docstrings, line breaks, quotes, redundant parentheses and trailing commas leave no
trace. The text is our own and not that of `ast.dump`, which differs between versions of Python.
"""

import ast

_SILENT = ("ctx", "kind", "type_comment", "type_ignores")  # fields that decide nothing


def code_of(text: str) -> str:
    """The canonical text of a source's syntax tree.

    What is no Python, such as a notebook cell with magic commands, stands for itself.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    said, waiting = [], [tree]
    while waiting:  # no recursion, which a long sum would exhaust
        part = waiting.pop()
        if isinstance(part, str):
            said.append(part)
        else:
            waiting += reversed(_parts(part))
    return "".join(said)


def _parts(node: ast.AST | list) -> list[ast.AST | list | str]:
    """Text and inner nodes in the order in which they are written."""
    if isinstance(node, list):
        return ["[", *(part for item in node for part in (_part(item), ",")), "]"]
    parts = [type(node).__name__, "("]
    for name, value in sorted(ast.iter_fields(node)):
        value = [v for v in value if not _says_nothing(v)] if isinstance(value, list) else value
        # An empty field may be one that other versions of Python do not have.
        if name not in _SILENT and value is not None and value != []:
            parts += [name, "=", _part(value), ","]
    return [*parts, ")"]


def _part(value: object) -> ast.AST | list | str:
    return value if isinstance(value, (ast.AST, list)) else ascii(value)


def _says_nothing(item: object) -> bool:
    """Whether it is a statement without effect: a docstring, `...` or `pass`."""
    constant = isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)
    return constant or isinstance(item, ast.Pass)
