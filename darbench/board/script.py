"""The script of a board: what every page runs, and its own files."""

from darbench.pages.script import script as script_of

_PARTS = (
    "leaderboard.js",
    "column_cells.js",
    "ranking_rows.js",
    "ranking.js",
    "state.js",
    "diagnosis_state.js",
    "tools.js",
    "arrows.js",
    "copies.js",
    "marks.js",
    "look.js",
    "curves.js",
    "front.js",
    "noise.js",
    "front_figure.js",
    "target.js",
    "effects_figure.js",
    "parallel_axes.js",
    "parallel_lines.js",
    "parallel_figure.js",
    "brushes.js",
    "cells_figure.js",
    "search_figures.js",
    "ranks_figure.js",
    "target_figure.js",
    "regimes_figure.js",
    "entries.js",
    "student.js",
    "effects.js",
    "comparison.js",
    "scores.js",
    "pair.js",
    "difference.js",
    "sources.js",
    "compare.js",
    "board.js",
    "memory.js",
    "reload.js",
)


def script() -> str:
    return script_of("darbench.board", _PARTS)
