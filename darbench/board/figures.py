"""The two plots of a section: metrics over training FLOPs, with bands over the seeds.

Names are escaped because plotly reads texts as pseudo-HTML. Colours of axes and texts come from
the page's style sheet, so that one figure serves the light and the dark theme.
"""

import html
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from darbench.board.cells import power
from darbench.board.entry_row import EntryRow
from darbench.board.leaderboard import Leaderboard

# These read on white and on near black, and most colour-blind readers can tell them apart.
COLOURS = ("#3a86d8", "#e0772f", "#2f9e77", "#b65fc4", "#c09a1a", "#d9506a", "#3aa6b9", "#9a7b5b")
BASELINE_COLOUR = "#868e96"
HEIGHT = 420
MARGIN = {"l": 64, "r": 44, "t": 24, "b": 52}
_DASHES = ("solid", "dash", "dot", "dashdot")


class Style(NamedTuple):
    """How the curve of an entry is drawn."""

    colour: str
    dash: str


def styles(rows: Iterable[EntryRow]) -> dict[str, Style]:
    """A map from entry to style; stale entries are not drawn, and `add` is grey everywhere."""
    drawn = [row for row in rows if not row.stale]
    others = [row.entry for row in drawn if not row.baseline]
    chosen = {row.entry: Style(BASELINE_COLOUR, "solid") for row in drawn if row.baseline}
    for i, entry in enumerate(others):
        dash = _DASHES[i // len(COLOURS) % len(_DASHES)]
        chosen[entry] = Style(COLOURS[i % len(COLOURS)], dash)
    return {row.entry: chosen[row.entry] for row in drawn}


def curve_table(board: Leaderboard, metric: str) -> pl.DataFrame:
    """A table of entry, train_flops, mean, low, high and seeds, a row per entry and checkpoint.

    low and high are the smallest and the largest value over the seeds.
    """
    value = pl.col(metric)
    return (
        board.curves.filter(value > 0)
        .group_by("entry", "step", maintain_order=True)
        .agg(
            train_flops=pl.col("train_flops").mean(),
            mean=value.mean(),
            low=value.min(),
            high=value.max(),
            seeds=pl.len(),
        )
        .sort("train_flops")
    )


def figure(board: Leaderboard, metric: str, title: str, names: Mapping[str, str]) -> go.Figure:
    """Plot `metric` over training FLOPs, both logarithmic, with bands from minimum to maximum.

    The lines are means. `names` maps an entry to the label of its line.
    """
    table = curve_table(board, metric).partition_by("entry", as_dict=True)
    fig = go.Figure()
    drawn = [
        (entry, table[(entry,)], style)
        for entry, style in styles(board.rows).items()
        if (entry,) in table
    ]
    for entry, curve, (colour, _) in drawn:
        if curve["seeds"].max() > 1:
            fig.add_trace(_band(entry, curve, colour))
    for entry, curve, (colour, dash) in drawn:
        fig.add_trace(_line(entry, curve, colour, dash, names[entry]))
    if board.budget_flops:
        fig.add_vline(board.budget_flops, line={"width": 1, "dash": "dot", "color": "#868e96"})
        ticks = [board.budget_flops / 2**k for k in range(6)]
        fig.update_xaxes(tickvals=ticks, ticktext=[power(tick) for tick in ticks])
    fig.update_layout(
        height=HEIGHT,
        margin=MARGIN,
        showlegend=False,
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        template="none",
        font={"size": 12.5, "family": "system-ui, sans-serif"},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": "#868e96", "activecolor": COLOURS[0]},
    )
    fig.update_xaxes(type="log", title="training FLOPs")
    fig.update_yaxes(type="log", title=html.escape(title), automargin=True, nticks=8)
    return fig


def _band(entry: str, curve: pl.DataFrame, colour: str) -> go.Scatter:
    flops = curve["train_flops"].to_list()
    return go.Scatter(
        x=flops + flops[::-1],
        y=curve["high"].to_list() + curve["low"].to_list()[::-1],
        fill="toself",
        fillcolor=f"rgba{(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), 0.1)}",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        legendgroup=entry,
    )


def _line(entry: str, curve: pl.DataFrame, colour: str, dash: str, name: str) -> go.Scatter:
    return go.Scatter(
        x=curve["train_flops"].to_list(),
        y=curve["mean"].to_list(),
        customdata=curve.select("low", "high", "seeds").rows(),
        name=html.escape(name),
        legendgroup=entry,
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 6},
        hovertemplate="%{y:.4g} at %{x:.3g} FLOPs<br>%{customdata[0]:.4g} to "
        "%{customdata[1]:.4g} over %{customdata[2]} seeds",
    )
