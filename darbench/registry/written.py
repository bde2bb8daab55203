"""The texts that the source hash of a routing is of, by the names of their files."""

from collections.abc import Callable, Iterable
from pathlib import Path

from darbench.registry.bundle import bundle_of
from darbench.registry.source import PACKAGE, file_of, module_file, own_of, texts_of, used_modules


def written(made: Callable, always: Iterable[str] = ()) -> dict[str, str]:
    """Return the text of a class or function, then those that it uses, by file.

    Files of darbench have their path within it; the user's that of their folder, or their name.
    Those of modules in `always` count too.
    """
    own = {name: text for each in own_of(made) for name, text in _texts(each).items()}
    modules = sorted({m for text in own.values() for m in used_modules(text, always)})
    used = {_name(file): file.read_text(encoding="utf-8") for file in map(module_file, modules)}
    return own | {name: text for name, text in used.items() if name not in own}


def _texts(made: Callable) -> dict[str, str]:
    bundle, file = bundle_of(made), Path(file_of(made))
    if bundle:
        return dict(bundle.named_texts(file))
    first, *others = texts_of(made)
    # Cells of a notebook have no file, and files that a script uses are told by their order.
    name = _name(file) if file.is_file() else "a notebook's cell"
    return {name: first} | {f"used by it, {k}": text for k, text in enumerate(others, start=1)}


def _name(file: Path) -> str:
    inside = file.is_relative_to(PACKAGE)
    return file.relative_to(PACKAGE.parent).as_posix() if inside else file.name
