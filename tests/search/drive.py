"""Trials proposed, run in no time and told of, one after another."""

import math

from darbench.search.proposer import Exhausted
from tests.make.rows import last_row

GRID = """
seeds: [0, 1]
variants:
  - {routing: add}
  - {routing: dar, params: {span: [2, 4]}}
"""

STUDY = """
sampler: tpe
trials: 12
seeds: [0, 1]
confirm: {top: 2, seeds: [100, 101, 102]}
variants:
  - {routing: add}
  - {routing: dar, params: {query: [static, dynamic], lr_mult: {low: 0.1, high: 10, log: true}}}
  - {routing: hyper, params: {streams: {low: 1, high: 8}}}
"""


def objective(trial) -> float:
    """An objective that is lowest for dar with a dynamic query and lr_mult = 1; add has 1."""
    params = trial.variant.params
    value = {"add": 1.0, "hyper": 2.0 + params.get("streams", 0)}.get(trial.variant.routing)
    if value is None:
        value = 0.3 + math.log10(params["lr_mult"]) ** 2
        value += 0.5 * (params.get("query") == "static")
    return value + 0.01 * trial.pair_id


def drive(proposing, rows, *, value=objective, limit=None, status=lambda trial: "ok"):
    """Run trials one after another until there are none, or `limit` of them; adds to rows."""
    ran = []
    while limit is None or len(ran) < limit:
        try:
            trial = proposing.next()
        except Exhausted:
            break
        row = last_row(trial, value(trial), status=status(trial), created=f"{len(rows):09}")
        proposing.tell(trial, row)
        rows.append(row)
        ran.append(trial)
    return ran


def searched(trials) -> list:
    return [t for t in trials if t.split == "search"]
