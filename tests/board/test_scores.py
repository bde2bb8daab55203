"""The browser's scores are Python's: the same rows, in Chromium and in darbench.analysis."""

import math
import random
from dataclasses import dataclass, field

import polars as pl
import pytest

from darbench.analysis.comparison import baseline, judged_effect, reference, score
from darbench.board.data import data
from darbench.board.entry_view import names_of
from darbench.board.rank import rank
from darbench.records.metric import COMPARED
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.close import close
from tests.make.pages import render, sweep_rows
from tests.make.rows import BUDGET, entry_rows, failed_row, trial_rows
from tests.make.trials import toy_trial

PARTS = {"effect": "mean", "low": "low", "high": "high", "n": "n", "p": "p"}


@dataclass
class Board:
    """Rows and what sweeps declared, scored by Python and by the browser."""

    rows: list
    declared: Declared = field(default_factory=Declared)

    def at(self, budget):
        frame = to_frame(self.rows).with_columns(budget_flops=pl.lit(budget, pl.Float64))
        return rank(frame, self.declared)

    def python(self, budget):
        board = self.at(budget)
        rows = [
            {"name": r.entry, "score": r.score, "rank": r.rank, "against": r.against}
            | {f"{m} mean": r.metrics[m].mean for m in COMPARED}
            | {f"{m} {k}": getattr(r.metrics[m], k) for m in COMPARED for k in PARTS}
            for r in board.rows
        ]
        return board.reference, rows

    def browser(self, scripts, budget):
        found = rescored(self.at(BUDGET), scripts, {"budget": budget})
        return found["reference"], [_flat(row) for row in found["rows"]]


def rescored(board, scripts, wanted):
    """What the browser makes of what the page carries of a board."""
    held = data(board, names_of(board.rows))
    call = "([text, numbers, wanted]) => rescore(filled(JSON.parse(text), numbers), wanted)"
    return scripts(call, [held.text, held.numbers, wanted])


def _flat(row):
    kept = {k: row[k] for k in ("name", "score", "rank", "against")}
    effects = {m: row["effects"].get(m) or {} for m in COMPARED}
    return (
        kept
        | {f"{m} mean": row["means"].get(m) for m in COMPARED}
        | {f"{m} {k}": effects[m].get(part) for m in COMPARED for k, part in PARTS.items()}
    )


def assert_same(python, browser):
    assert browser[0] == python[0]
    assert [row["name"] for row in browser[1]] == [row["name"] for row in python[1]]
    for ours, theirs in zip(python[1], browser[1], strict=True):
        assert {k: (ours[k], theirs[k]) for k in ours if not close(ours[k], theirs[k])} == {}


def random_board(seed):
    """Several backbones, rates, splits and sources; trials that fail, stop early or lack an FD."""
    rng = random.Random(seed)
    seeds, rows, declared = range(rng.choice([1, 2, 3, 5])), [], {}
    trouble, schedule = rng.choice([0.0, 0.02, 0.2]), rng.choice(["constant", "linear"])
    for place in range(rng.randint(3, 9)):
        routing = rng.choice(["add", "dar", "mhc"]) if place else "add"
        of_trial = {
            "label": rng.choice(["", "z", "ä", "\U0001f600", "\uffee"]),
            "params": {} if routing == "add" else {"span": place},
            "split": rng.choice(["confirm"] * 8 + ["search", "heldout"]),
            "code": rng.choice(["c0"] * 6 + ["c1"]),
            "lr": rng.choice([6e-3] * 6 + [1e-3]),
            "depth": rng.choice([2] * 6 + [3]),
            "objective": rng.choice(["velocity"] * 6 + ["data"]),
            "schedule": schedule,
        }
        cost = 1 + 0.1 * rng.random()
        for pair in seeds:
            trial = toy_trial(routing, pair, **of_trial)
            declared[trial.config_hash] = [*seeds]
            rows += _random_trial(rng, trial, cost, rng.random() < trouble)
    known = Declared().extended(declared, command="darbench sweep --space toy")
    return Board(rows, known if rng.random() < 0.7 else Declared())


def _random_trial(rng, trial, cost, troubled):
    pair, fate = (
        trial.pair_id,
        rng.choice(["fails", "stops", "no fd", "alone"]) if troubled else "",
    )
    if fate == "fails":
        status = rng.choice(["diverged", "crashed"])
        return [failed_row(trial, status, "made up", budget_flops=BUDGET)]
    level = (1 + 0.1 * pair) * math.exp(rng.gauss(0, 0.02))
    rows = trial_rows(trial, level=level, cost=cost, until=0.5 if fate == "stops" else 1.0)
    noise = "other" if fate == "alone" else "same"
    audits = {"audit_data": f"d{pair}", "audit_noise": noise}
    audits["audit_init"] = f"i{pair} of {trial.model.depth}"
    lacking = {"fd": None} if fate == "no fd" else {}
    return [row | audits | {"audit_step": 100} | lacking for row in rows]


@pytest.mark.parametrize("seed", range(40))
def test_a_random_board_is_scored_alike_at_any_budget(seed, scripts):
    board = random_board(seed)
    for share in (1.0, 0.8, 0.5, 0.31, 0.1, 1.5):
        assert_same(board.python(share * BUDGET), board.browser(scripts, share * BUDGET))


def test_random_boards_hold_what_the_equality_is_about():
    """Each of these occurs: or the test above says less than it seems to."""
    frames = pl.concat([random_board(seed).at(BUDGET).frame for seed in range(40)])
    assert frames["score"].count() > 40 and frames["val_loss_p"].count() > 20
    assert frames["val_loss_p"].is_between(0, 1, closed="none").sum() > 20
    assert frames["stale"].any() and (frames["split"] == "search").any()
    assert frames["mark"].str.contains("not paired").any()
    assert frames["mark"].str.contains("diverged").any()
    assert (frames["seeds"] == 1).any() and frames["val_loss_low"].null_count() > 40


EDGES = {
    "equal draws": [entry_rows("add"), entry_rows("dar"), entry_rows("mhc", ratio=0.9)],
    "no add": [entry_rows("dar"), entry_rows("mhc", ratio=1.1, wobble=0.01)],
    "one seed": [entry_rows("add", (0,)), entry_rows("dar", (0,), ratio=0.9)],
    "one entry": [entry_rows("add")],
    "a missing seed": [entry_rows("add"), entry_rows("dar", (0, 2), ratio=0.9, wobble=0.01)],
    "nine seeds": [
        entry_rows("add", (*range(9),)),
        entry_rows("dar", (*range(9),), ratio=1.01, wobble=0.003),
    ],
    "a falling rate": [
        entry_rows("add", schedule="linear"),
        entry_rows("dar", schedule="linear", ratio=0.97, wobble=0.01, cost=1.07),
    ],
    "all failed": [[failed_row(toy_trial("dar"), "oom", "made up", budget_flops=BUDGET)]],
    "a second attempt": [
        entry_rows("add"),
        entry_rows("dar", until=0.5, ratio=0.9),
        entry_rows("dar", attempt=2, ratio=0.9, wobble=0.01, created="2031-05-02T10:00:00"),
    ],
    "another recipe that predicts the data": [
        entry_rows("add"),
        entry_rows("add", objective="data", ratio=0.8, created="2031-05-02T10:00:00"),
        entry_rows("dar", objective="data", lr=1e-3, ratio=0.7, wobble=0.01),
    ],
    "held-out seeds, of which add has two": [
        entry_rows("add"),
        entry_rows("add", (0, 1), split="heldout"),
        entry_rows("dar", split="heldout", ratio=0.9, wobble=0.01),
    ],
    "an add that lacks a seed, then a whole one": [
        entry_rows("add", (0, 1)),
        entry_rows("add", lr=1e-3, created="2031-05-02T10:00:00"),
        entry_rows("dar", lr=2e-3, ratio=0.9, wobble=0.01, created="2031-05-03T10:00:00"),
    ],
    "attempts that drew different numbers": [
        entry_rows("add"),
        [
            row | {"audit_draws": "one" if row["final"] else f"of {row['pair_id']}"}
            for row in entry_rows("dar", (1, 2), ratio=0.9, wobble=0.01)
        ],
        [row | {"audit_draws": "one"} for row in entry_rows("dar", (0,), ratio=0.9)],
    ],
    "names beyond the plane": [
        entry_rows("dar", params={"span": span}, label=label)
        for span, label in enumerate(("\U0001f600", "\uffee", "a", "ab", ""))
    ],
    "a diverged seed": [
        entry_rows("add"),
        entry_rows("dar", (0, 1), ratio=0.9),
        [failed_row(toy_trial("dar", 2), "diverged", "made up", budget_flops=BUDGET)],
    ],
}


@pytest.mark.parametrize("name", EDGES)
def test_an_edge_of_a_board_is_scored_alike(name, scripts):
    board = Board([row for group in EDGES[name] for row in group])
    for share in (1.0, 1 + 5e-10, 0.7, 0.25, 0.01):
        assert_same(board.python(share * BUDGET), board.browser(scripts, share * BUDGET))


def test_a_control_is_scored_alike(scripts):
    """Against the plain backbone, and not against the first `add` of another."""
    skip, data_add = {"model": {"skip": "time"}}, {"objective": "data"}
    groups = [
        entry_rows("add", depth=3),
        entry_rows("add"),
        entry_rows("dar", ratio=0.9, wobble=0.01),
        entry_rows("add", ratio=0.8, wobble=0.02, **skip),
        entry_rows("add", ratio=0.7, wobble=0.02, **data_add),
        entry_rows("dar", ratio=0.6, wobble=0.01, **data_add),
    ]
    said = {toy_trial("add", **own).config_hash: "other" for own in (skip, data_add)}
    board = Board([row for group in groups for row in group], Declared(controls=said))
    assert board.at(BUDGET).frame["control"].sum() == 2
    assert_same(board.python(BUDGET), board.browser(scripts, BUDGET))


@pytest.mark.parametrize("seed", range(10))
def test_chosen_entries_are_ranked_among_themselves(seed, scripts):
    board = random_board(100 + seed).at(BUDGET)
    metric, entries = board.rank_by, board.entries
    chosen = random.Random(seed).sample(entries, len(entries) // 2 + 1)
    chosen = [entry for entry in entries if entry in chosen]
    found = rescored(board, scripts, {"chosen": [entry.name for entry in chosen]})
    measure = reference(chosen, metric)
    assert found["reference"] == (measure and measure.name)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows.keys() == {entry.name for entry in chosen}
    for entry in chosen:
        row, base = rows[entry.name], baseline(entry, entries, metric)
        assert close(measure and score(entry, measure, metric), row["score"])
        assert row["against"] == (base and base.name)
        if base is not None and base is not entry:
            effect = judged_effect(entry, base, metric)
            assert (effect is None) == (row["effects"][metric] is None)
            assert effect is None or close(effect.p_value, row["effects"][metric]["p"])
    scores = [row["score"] for row in found["rows"] if row["score"] is not None]
    assert scores == sorted(scores)
    assert [row["rank"] for row in found["rows"]][: len(scores)] == [*range(1, len(scores) + 1)]


def test_the_page_carries_the_data_it_scores(tmp_path, opened):
    render(tmp_path, *sweep_rows())
    with opened(tmp_path / "index.html") as page:
        rows = page.evaluate("read('s1').then((data) => rescore(data).rows)")
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["effects"]["val_loss"]["mean"] == pytest.approx(-0.05, abs=1e-3)
