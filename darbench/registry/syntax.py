"""A canonical text of the code in a Python source, without comments and layout.

Comments, docstrings, line breaks, quotes, redundant parentheses and trailing commas leave no
trace, nor do a routing's citation and the settings it is tested in, unless something reads them.
`ast.dump` is not used, for its text differs between versions of Python.
"""

import ast
from collections.abc import Set
from functools import cache

# Attributes of a registered class that it does not compute with, unless something reads them.
FACTS = {"paper", "citation", "settings"}
_ALL = {"vars", "__dict__"}  # what reads every attribute
_SILENT = ("ctx", "kind", "type_comment", "type_ignores")  # fields of a node that decide nothing


def code_of(text: str, read: Set[str] = frozenset()) -> str:
    """Return the canonical text of a source's syntax tree.

    `read` are the names that other files read of its classes. A text that is not Python, such as
    a notebook cell with magic commands, is returned as it is.
    """
    read |= names_read(text)
    return _code_without(text, frozenset() if _ALL & read else frozenset(FACTS - read))


@cache
def _code_without(text: str, idle: frozenset[str]) -> str:
    """The canonical text, without attributes of registered classes that nothing reads."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    _drop_facts(tree, idle)
    texts, waiting = [], [tree]
    while waiting:  # not recursive, for a long sum would exhaust the stack
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        else:
            waiting += reversed(_parts(part))
    return "".join(texts)


@cache
def names_read(text: str) -> frozenset[str]:
    """Return the names, attributes and constant strings that a source reads."""
    try:
        nodes = [*ast.walk(ast.parse(text))]
    except (SyntaxError, ValueError):
        return frozenset()
    read = [n for n in nodes if isinstance(getattr(n, "ctx", None), ast.Load)]
    names = {getattr(n, "attr", getattr(n, "id", None)) for n in read}
    names |= {n.value for n in nodes if isinstance(n, ast.Constant)}
    return frozenset(name for name in names if isinstance(name, str))


@cache
def names_written(text: str) -> frozenset[str]:
    """Return the names to which a source assigns."""
    try:
        nodes = [*ast.walk(ast.parse(text))]
    except (SyntaxError, ValueError):
        return frozenset()
    written = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return frozenset(n.id for n in written)


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


def _drop_facts(tree: ast.AST, idle: Set[str]) -> None:
    """Remove attributes of registered classes, by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(map(_registers, node.decorator_list)):
            node.body = [item for item in node.body if not _assigned(item) & idle]


def _registers(decorator: ast.expr) -> bool:
    """Whether a decorator is `@register(...)` or `@darbench.register(...)`."""
    called = isinstance(decorator, ast.Call)
    return called and ast.unparse(decorator.func) in ("register", "darbench.register")


def _assigned(item: ast.stmt) -> set[str | None]:
    """The name to which a statement such as `paper = ...` assigns a value."""
    if isinstance(item, ast.Assign) and len(item.targets) == 1:
        return {getattr(item.targets[0], "id", None)}
    valued = isinstance(item, ast.AnnAssign) and item.value is not None
    return {getattr(item.target, "id", None)} if valued else set()
