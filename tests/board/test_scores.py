"""The browser's scores are Python's: the same rows, in Chromium and in darbench.analysis."""

import json
import math
import random
from dataclasses import dataclass, field

import mpmath
import polars as pl
import pytest
from scipy import stats

from darbench.analysis.comparison import baseline, judged_effect, reference, score
from darbench.analysis.effects import interpolate_log, paired_effect
from darbench.board.data import data
from darbench.board.rank import rank
from darbench.records.metric import COMPARED
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.pages import render, sweep_rows
from tests.make.rows import BUDGET, entry_rows, failed_row, trial_rows
from tests.make.trials import toy_trial

PARTS = {"effect": "mean", "low": "low", "high": "high", "n": "n", "p": "p"}


@pytest.fixture(scope="module")
def scripts(chromium, tmp_path_factory):
    """A page of darbench, whose functions a test calls: scripts(call, argument)."""
    folder = tmp_path_factory.mktemp("page")
    render(folder, *sweep_rows())
    page = chromium.new_page()
    page.goto((folder / "index.html").as_uri())
    yield page.evaluate
    page.close()


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
        argument = [json.loads(data(self.at(BUDGET))), {"budget": budget}]
        found = scripts("([data, wanted]) => rescore(data, wanted)", argument)
        return found["reference"], [_flat(row) for row in found["rows"]]


def _flat(row):
    kept = {k: row[k] for k in ("name", "score", "rank", "against")}
    effects = {m: row["effects"].get(m) or {} for m in COMPARED}
    return (
        kept
        | {f"{m} mean": row["means"].get(m) for m in COMPARED}
        | {f"{m} {k}": effects[m].get(part) for m in COMPARED for k, part in PARTS.items()}
    )


def close(one, two):
    if isinstance(one, float) and isinstance(two, int | float):
        return math.isclose(one, two, rel_tol=1e-12, abs_tol=1e-12)
    return one == two


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
    audits = {"audit_data": f"d{pair}", "audit_init": f"i{pair}", "audit_noise": noise}
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
    "a diverged seed": [
        entry_rows("add"),
        entry_rows("dar", (0, 1), ratio=0.9),
        [failed_row(toy_trial("dar", 2), "diverged", "made up", budget_flops=BUDGET)],
    ],
}


@pytest.mark.parametrize("name", EDGES)
def test_an_edge_of_a_board_is_scored_alike(name, scripts):
    board = Board([row for group in EDGES[name] for row in group])
    for share in (1.0, 0.7, 0.25, 0.01):
        assert_same(board.python(share * BUDGET), board.browser(scripts, share * BUDGET))


def test_a_control_is_scored_alike(scripts):
    control = toy_trial("add", depth=3)
    groups = [entry_rows("add"), entry_rows("dar", ratio=0.9, wobble=0.01)]
    groups.append(entry_rows("add", depth=3, ratio=0.8, wobble=0.02))
    declared = Declared(controls={control.config_hash: "deeper"})
    board = Board([row for group in groups for row in group], declared)
    assert "control: deeper" in board.at(BUDGET).frame["mark"].to_list()
    assert_same(board.python(BUDGET), board.browser(scripts, BUDGET))


@pytest.mark.parametrize("seed", range(10))
def test_chosen_entries_are_ranked_among_themselves(seed, scripts):
    board = random_board(100 + seed).at(BUDGET)
    metric, entries = board.rank_by, board.entries
    chosen = random.Random(seed).sample(entries, len(entries) // 2 + 1)
    chosen = [entry for entry in entries if entry in chosen]
    argument = [json.loads(data(board)), {"chosen": [entry.name for entry in chosen]}]
    found = scripts("([data, wanted]) => rescore(data, wanted)", argument)
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


def two_sided(t, df):
    """With 40 digits; scipy loses up to eight of them where t is small."""
    with mpmath.workdps(40):
        x = df / (df + mpmath.mpf(t) ** 2)
        return float(mpmath.betainc(mpmath.mpf(df) / 2, 0.5, 0, x, regularized=True))


def test_student_s_distribution_is_exact_to_twelve_digits(scripts):
    ts = [0.0, *(10 ** (k / 2) for k in range(-16, 11))]
    for df in (*range(1, 13), 19, 40, 99, 300):
        found = scripts("([ts, df]) => ts.map((t) => twoSided(t, df))", [ts, df])
        assert found == pytest.approx([two_sided(t, df) for t in ts], rel=1e-12, abs=1e-300)
        level = scripts("(df) => quantile(0.05, df)", df)
        assert level == pytest.approx(stats.t.ppf(0.975, df), rel=1e-12)


def test_effects_and_interpolation_are_python_s(scripts):
    rng = random.Random(7)
    draws = [[rng.gauss(0.01, 0.02) for _ in range(n)] for n in range(12)]
    draws += [[0.1, 0.1], [0.0, 0.0, 1e-13], [1e-13], [0.3], [0.2, 0.2, 0.2 + 1e-13]]
    for d in draws:
        effect, found = paired_effect(d), scripts("(d) => pairedEffect(d)", d)
        pairs = {"mean": "mean", "low": "low", "high": "high", "n": "n", "p": "p_value"}
        assert (effect is None) == (found is None)
        assert effect is None or all(close(getattr(effect, v), found[k]) for k, v in pairs.items())
    flops = [4.0, 1.0, 2.0, 2.0, None, 8.0, 0.0]
    values = [0.4, 0.9, 0.7, 0.6, 0.5, None, 0.3]
    for at in (0.5, 1.0 - 1e-10, 1.0, 1.5, 2.0, 3.0, 4.0, 4.0 + 1e-10, 5.0, 0.0):
        found = scripts("(a) => interpolateLog(...a)", [flops, values, at])
        assert close(interpolate_log(flops, values, at), found), at


def test_the_page_carries_the_data_it_scores(tmp_path, opened):
    render(tmp_path, *sweep_rows())
    with opened(tmp_path / "index.html") as page:
        call = "unpack('s1-data').then((text) => rescore(JSON.parse(text)).rows)"
        rows = page.evaluate(call)
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["effects"]["val_loss"]["mean"] == pytest.approx(-0.05, abs=1e-3)
