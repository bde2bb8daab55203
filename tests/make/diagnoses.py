"""Tables of diagnoses that nobody measured, of which every number is known."""

import math
from collections.abc import Iterator

import polars as pl

from darbench.store.diagnostics import SCHEMA

TIMES = [i / 8 for i in range(9)]


def value(name: str, t: float, k: int, j: int, seed: int = 0) -> float:
    """A made-up number that differs in every place"""
    place = 0.3 * t + 0.11 * k - 0.07 * j + 0.05 * seed + 0.01 * len(name)
    return math.exp(place) if name.startswith(("rms", "relative")) else math.sin(place)


def diagnosis_rows(trial: str, seed: int = 0, depth: int = 2, softmax: bool = True) -> Iterator:
    """All analyses of a trial, in the long form."""
    sites = 2 * depth + 1
    lines = dict.fromkeys(("rms_z", "rms_grad_z", "block_cosine"), "k")
    lines |= dict.fromkeys(("rms_v", "rms_grad_v", "relative_grad_v"), "j")
    maps = ("routing_matrix", "gate_gradient", *["softmax_weights"] * softmax)
    weights = ("routing", *["softmax"] * softmax)
    measures = [f"{w}_{m}" for w in weights for m in ("entropy", "effective", "lookback")]

    def row(name: str, t: float | None = None, k: int | None = None, j: int | None = None) -> dict:
        known = value(name, t or 0.0, k or 0, j or 0, seed)
        place = {"k": k, "j": j, "t": t, "value": known, "se": None}
        return {"trial": trial, "analysis": name, **place}

    for t in TIMES:
        for name, axis in lines.items():
            count = depth + 1 if axis == "k" else sites
            yield from (row(name, t, **{axis: i}) for i in range(count))
        for name in maps:
            yield from (row(name, t, i, j) for i in range(sites) for j in range(i + 1))
        for name in measures:
            yield from (row(name, t, i) for i in range(sites))
    yield from (row(f"{w}_variation", k=i) for w in weights for i in range(sites))
    yield from (row("probe_r2", k=i) for i in range(depth + 1))
    yield row("probe_r2_input")


def table(*trials: tuple[str, int, bool], depth: int = 2) -> pl.DataFrame:
    """The table of trials: name, seed, and whether the routing reads by softmax."""
    rows = (row for name, seed, soft in trials for row in diagnosis_rows(name, seed, depth, soft))
    return pl.DataFrame([*rows], schema=SCHEMA)
