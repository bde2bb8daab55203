"""The rule of the Pareto front, on simulated boards: what chance looks like pushes nobody out.

Seeds differ by 5 %, as all entries do that share them; entries differ by what is said.
"""

import numpy as np
import pytest
from scipy import stats

BOARDS = 1000


def simulate(rng, truths, noises, seeds=5, boards=BOARDS):
    """Log values (boards, entries, seeds) of entries with true log effects and noises."""
    shared = rng.normal(0, 0.05, (boards, 1, seeds))
    own = rng.normal(0, 1, (boards, len(truths), seeds)) * np.array(noises)[:, None]
    return shared + np.array(truths)[:, None] + own


# Entries with their values at a budget, as scripts/comparison.js makes them; 0 is the reference.
POINTS = """(board, costs) => board.map((logs, i) => ({
  cost: costs[i],
  entry: {
    name: String(i), split: "confirm", required: [...logs.keys()], model: 0,
    stale: false, control: false,
    trials: logs.map((log, seed) => ({
      seed, split: "confirm", ok: true, audits: {}, unsettled: false,
      values: { fd: Math.exp(log) },
    })),
  },
}))"""
FRONTS = """([boards, costs]) => boards.map((board) => {
  const points = pointsOf(board, costs), tried = points.length;
  const line = shownBest(points, points[0].entry, "fd", tried);
  return [[...frontOf(points, "fd", tried)].map(Number), line];
})""".replace("pointsOf", f"({POINTS})")


def fronts(scripts, boards, costs=None):
    """Of each board who stands on the front, and the line."""
    boards = [[[*map(float, logs)] for logs in board] for board in boards]
    found = scripts(FRONTS, [boards, costs or [1.0] * len(boards[0])])
    return [set(names) for names, _ in found], [line for _, line in found]


def shares(found, entry):
    return sum(entry in names for names in found) / len(found)


def at_most(rate, boards=BOARDS):
    """The share that a rate is exceeded by in one of a thousand experiments."""
    return stats.binom.ppf(0.999, boards, rate) / boards


def test_equal_entries_stand_on_the_front_together_in_95_of_100_boards(scripts):
    boards = simulate(np.random.default_rng(0), [0.0] * 6, [0.01] * 6)
    found, _ = fronts(scripts, boards)
    broken = sum(len(names) < 6 for names in found) / BOARDS
    assert 0 < broken <= at_most(0.05)


def test_a_noisy_entry_pushes_out_no_well_measured_one_that_is_better(scripts):
    boards = simulate(np.random.default_rng(1), [0.0, -0.02, 0.0], [0.003, 0.003, 0.06])
    naive = (boards[:, 2].mean(1) < boards[:, 1].mean(1)).mean()
    found, lines = fronts(scripts, boards)
    assert naive > 0.15  # by means it would, that often
    assert 1 - shares(found, 1) <= at_most(0.05 / 3)
    assert sum(best["name"] == "1" for (best,) in lines) / BOARDS > 0.95


def test_what_is_worse_is_pushed_out(scripts):
    boards = simulate(np.random.default_rng(2), [0.0, -0.03, -0.06], [0.003] * 3)
    found, lines = fronts(scripts, boards)
    assert shares(found, 2) == 1 and shares(found, 1) < 0.01 and shares(found, 0) < 0.01
    assert sum(best["name"] == "2" for (best,) in lines) / BOARDS > 0.99


def test_one_lucky_seed_neither_pushes_nor_stands_nor_leads(scripts):
    found, (line,) = fronts(scripts, [[[0.0, 0.1, 0.2], [-0.02, 0.081, 0.179], [-0.5]]])
    assert found == [{1}] and [best["name"] for best in line] == ["1"]


def test_the_limits_of_the_line_hold_for_its_entry_in_95_of_100_boards(scripts):
    """The line takes the best upper limit of all, so that limits of one entry would not do."""
    boards = simulate(np.random.default_rng(3), [0.0] * 8, [0.01] * 8)
    _, lines = fronts(scripts, boards)
    missed = sum(best["high"] < 0 for (best,) in lines) / BOARDS
    assert missed <= at_most(0.05)
    single = [stats.ttest_rel(b[i], b[0]).confidence_interval() for b in boards for i in (1, 2, 3)]
    ends = np.array([interval.high for interval in single]).reshape(BOARDS, -1)
    assert (ends.min(1) < 0).mean() > 0.04  # of only three entries


@pytest.mark.parametrize("seed", range(3))
def test_the_front_is_that_of_paired_t_tests(seed, scripts):
    rng = np.random.default_rng(10 + seed)
    truths, costs = rng.normal(0, 0.02, 7), [*rng.integers(1, 4, 7).astype(float)]
    boards = simulate(rng, truths, rng.uniform(0.002, 0.02, 7), seeds=4, boards=100)
    level = 0.05 / 21

    def pushed(board, i, j):
        test = stats.ttest_rel(board[j], board[i])
        return costs[j] <= costs[i] and test.statistic < 0 and test.pvalue < level

    wanted = [
        {i for i in range(7) if not any(pushed(board, i, j) for j in range(7) if j != i)}
        for board in boards
    ]
    assert fronts(scripts, boards, costs)[0] == wanted
    assert 1 < np.mean([len(names) for names in wanted]) < 7


def test_the_line_falls_along_costs_and_names_who_leads(scripts):
    board = [[0.0, 0.1, 0.2, 0.3], [-0.05, 0.049, 0.151, 0.25], [-0.1, 0.001, 0.1, 0.199]]
    _, (line,) = fronts(scripts, [board], [1.0, 2.0, 3.0])
    assert [(step["name"], step["cost"]) for step in line] == [("0", 1), ("1", 2), ("2", 3)]
    for step, logs in zip(line[1:], board[1:], strict=True):
        test = stats.ttest_rel(logs, board[0])
        low, high = test.confidence_interval(1 - 0.05 / 2)
        assert (step["low"], step["high"]) == pytest.approx((low, high), abs=1e-12)
    assert (line[0]["low"], line[0]["mean"], line[0]["high"]) == (0, 0, 0)
