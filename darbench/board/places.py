"""The rows of each section: by the place where their sweep declared them, and at which budget."""

import json
from collections.abc import Collection

import polars as pl

from darbench.analysis.outcomes import Entry
from darbench.records.canonical import canonical_json
from darbench.records.settings import PLAIN
from darbench.store.declared import Declared
from darbench.store.place import Place


def by_place(frame: pl.DataFrame, declared: Declared) -> list[tuple[Place, pl.DataFrame]]:
    """The rows of each place, in the order in which sweeps declared them."""
    known = [place for each in declared.places.values() for place in each]
    found = {_section(place): (place, set()) for place in [Place(), *known]}
    for key in frame.select("config_hash", "split").unique().rows():
        for place in declared.standing(*key):
            found[_section(place)][1].add("/".join(key))
    keys = pl.concat_str("config_hash", "split", separator="/")
    frame = _with_budgets(frame)
    return [(place, frame.filter(keys.is_in(list(own)))) for place, own in found.values() if own]


def is_left(entries: Collection[Entry], place: Place, declared: Declared) -> bool:
    """Whether the entries of a section were only looked at, and a sweep left it at that."""
    searched = [entry.key[0] for entry in entries if entry.split == "search"]
    stands = [p for key in searched for p in declared.standing(key, "search")]
    here = any(p.left and _section(p) == _section(place) for p in stands)
    return here and len(searched) == len(entries)


def _section(place: Place) -> tuple[str, tuple[str, ...]]:
    return canonical_json(place.point), place.tuned


def _with_budgets(frame: pl.DataFrame) -> pl.DataFrame:
    """Fill in the budget of trials that crashed early, from rows of equal cost."""
    if not frame["budget_flops"].null_count():
        return frame
    costs = [_cost(text) for text in frame["config_json"]]
    budgets = frame["budget_flops"].to_list()
    measured = {cost: b for cost, b in zip(costs, budgets, strict=True) if b is not None}
    filled = [measured.get(c) if b is None else b for c, b in zip(costs, budgets, strict=True)]
    return frame.with_columns(pl.Series("budget_flops", filled, dtype=pl.Float64))


def _cost(config_json: str) -> str:
    """What decides the FLOPs of the budget: task, backbone, objective, batch and steps."""
    config = json.loads(config_json)
    aside = ("zero_t_embed", *PLAIN)
    model = {k: v for k, v in config["model"].items() if k not in aside}
    training = config["training"]
    recipe = [training.get(name) for name in ("steps", "batch", "objective", "repa")]
    return json.dumps([config["task"], model, recipe])
