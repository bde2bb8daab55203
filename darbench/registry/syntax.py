"""A canonical text of the code in a Python source, without comments and layout.

Comments, docstrings, line breaks, quotes, redundant parentheses and trailing commas leave no
trace, nor do a routing's citation and the settings it is tested in. `ast.dump` is not used, for
its text differs between versions of Python.
"""

import ast

_FACTS = {"paper", "citation", "settings"}  # attributes of a class that it does not compute with
_SILENT = ("ctx", "kind", "type_comment", "type_ignores")  # fields of a node that decide nothing


def code_of(text: str) -> str:
    """Return the canonical text of a source's syntax tree.

    A text that is not Python, such as a notebook cell with magic commands, is returned as it is.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    _drop_facts(tree)
    texts, waiting = [], [tree]
    while waiting:  # not recursive, for a long sum would exhaust the stack
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        else:
            waiting += reversed(_parts(part))
    return "".join(texts)


def _parts(node: ast.AST | list) -> list[ast.AST | list | str]:
    """Return text and inner nodes of a node in the order in which they are written."""
    if isinstance(node, list):
        return ["[", *(part for item in node for part in (_part(item), ",")), "]"]
    parts = [type(node).__name__, "("]
    for name, value in sorted(ast.iter_fields(node)):
        value = [v for v in value if not _has_no_effect(v)] if isinstance(value, list) else value
        # An empty field may be one that other versions of Python lack.
        if name not in _SILENT and value is not None and value != []:
            parts += [name, "=", _part(value), ","]
    return [*parts, ")"]


def _part(value: object) -> ast.AST | list | str:
    return value if isinstance(value, (ast.AST, list)) else ascii(value)


def _has_no_effect(item: object) -> bool:
    """Whether `item` is a statement without effect: a docstring, `...` or `pass`."""
    constant = isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)
    return constant or isinstance(item, ast.Pass)


def _drop_facts(tree: ast.AST) -> None:
    """Remove _FACTS from all classes, except those that the source itself reads."""
    names = (n for n in ast.walk(tree) if isinstance(getattr(n, "ctx", None), ast.Load))
    idle = _FACTS - {getattr(n, "attr", getattr(n, "id", None)) for n in names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body = [item for item in node.body if not _assigned(item) & idle]


def _assigned(item: ast.stmt) -> set[str | None]:
    """The name to which a statement such as `paper = ...` assigns."""
    if isinstance(item, ast.Assign) and len(item.targets) == 1:
        return {getattr(item.targets[0], "id", None)}
    return {getattr(item.target, "id", None)} if isinstance(item, ast.AnnAssign) else set()
