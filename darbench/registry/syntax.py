"""The code of a Python source as one text: what it says to Python, without what it says to people.

Comments, docstrings, line breaks, quotes, redundant parentheses and trailing commas leave no
trace, nor do a routing's citation and the settings it is tested in. The text is our own and not
that of `ast.dump`, which differs between versions of Python.
"""

import ast

_FACTS = {"paper", "citation", "settings"}  # of a class, which computes nothing with them
_SILENT = ("ctx", "kind", "type_comment", "type_ignores")  # fields that decide nothing


def code_of(text: str) -> str:
    """The canonical text of a source's syntax tree.

    What is no Python, such as a notebook cell with magic commands, stands for itself.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    _drop_facts(tree)
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


def _drop_facts(tree: ast.AST) -> None:
    """Take _FACTS out of all classes, but for those that the source itself reads."""
    names = (n for n in ast.walk(tree) if isinstance(getattr(n, "ctx", None), ast.Load))
    idle = _FACTS - {getattr(n, "attr", getattr(n, "id", None)) for n in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body = [item for item in node.body if not _assigned(item) & idle]


def _assigned(item: ast.stmt) -> set[str | None]:
    """The name that a statement such as `paper = ...` gives a value."""
    if isinstance(item, ast.Assign) and len(item.targets) == 1:
        return {getattr(item.targets[0], "id", None)}
    return {getattr(item.target, "id", None)} if isinstance(item, ast.AnnAssign) else set()
