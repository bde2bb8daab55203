"""The Python files that a user names with --load."""

from pathlib import Path


def load_files(files: list[Path] | None) -> list[str]:
    """Run the user's files, and return the names of the routings that they register."""
    if not files:
        return []
    from darbench.search.files import find_plugin
    from darbench.testing.rehearsal import load_rehearsed

    return [name for file in files for name in load_rehearsed(find_plugin(file))]
