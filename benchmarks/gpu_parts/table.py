"""The Markdown table: every line of every part, also those for which there is no figure."""

from collections.abc import Mapping

from gpu_parts.record import Outcome

COLUMNS = ("small", "S/2", "B/2", "XL/2")

Lines = Mapping[str, tuple[str, ...]]  # the title of a line -> the columns that have a figure


def markdown(parts: Mapping[str, Lines], outcomes: Mapping[str, Outcome]) -> str:
    """Return the table; the cells of a part without an outcome are unmeasured."""
    head = [("on one GPU", *COLUMNS), ("---",) * (1 + len(COLUMNS))]
    body = [
        (title, *_cells(title, columns, outcomes.get(part)))
        for part, lines in parts.items()
        for title, columns in lines.items()
    ]
    return "".join(f"| {' | '.join(map(_text, cells))} |\n" for cells in [*head, *body])


def _cells(title: str, columns: tuple[str, ...], outcome: Outcome | None) -> list[str]:
    found = {row.column: row.cell for row in outcome.rows if row.line == title} if outcome else {}
    rest = outcome.rest if outcome else "unmeasured"
    return [found.get(c, rest) if c in columns else "" for c in COLUMNS]


def _text(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())
