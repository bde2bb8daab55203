"""How often the board is wrong where nothing differs: colours, tiers, a routing that is edited.

Boards are simulated as arrays (boards, entries, seeds) of log metrics, `add` first, with the noise
of digits-nano; a few whole ones go through `rank`, and agree. Of 10,000 boards a rate of 5 % has a
standard error of 0.22 %: a bound of 5.5 % is passed by chance less than once in fifty times.
"""

import math

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.tiers import pair_level
from darbench.board.rank import rank
from darbench.store.tables import to_frame
from tests.make.rows import BUDGET, row_of
from tests.make.trials import toy_trial

BOARDS, BOUND = 10_000, 0.055
DEVIATION, CORRELATION = 0.0073, 0.87  # of one trial, and of the trials of a pair id
SEEDS = (3, 5, 10)


def drawn(rng, boards, entries, seeds, shifts=0.0):
    own = rng.normal(size=(boards, entries, seeds)) * math.sqrt(1 - CORRELATION)
    shared = rng.normal(size=(boards, 1, seeds)) * math.sqrt(CORRELATION)
    return DEVIATION * (own + shared) + np.broadcast_to(shifts, entries)[:, None]


def p_values(d):
    return stats.ttest_1samp(d, 0.0, axis=-1).pvalue


def adjusted(p):
    """Hochberg's, of the last axis."""
    order = np.argsort(-p, axis=-1)
    steps = np.take_along_axis(p, order, -1) * np.arange(1, p.shape[-1] + 1)
    found = np.empty_like(p)
    np.put_along_axis(found, order, np.minimum.accumulate(steps, axis=-1), -1)
    return np.minimum(found, 1.0)


def tiers(x):
    """The order of the entries, and their tiers in that order."""
    order = np.argsort(x.mean(-1), axis=1)
    ranked = np.take_along_axis(x, order[..., None], 1)
    leader, tier = ranked[:, 0].copy(), [np.ones(len(x), int)]
    for k in range(1, x.shape[1]):
        d = ranked[:, k] - leader
        opens = (p_values(d) < pair_level(x.shape[1])) & (d.mean(-1) > 0)
        leader[opens] = ranked[opens, k]
        tier.append(tier[-1] + opens)
    return order, np.stack(tier, 1)


def rows_of(x, code="c0", created="2031-05-01T10:00:00", first=0, **params):
    """The last rows of one board, (entries, seeds): `add`, and one `dar` after another."""
    for i, entry in enumerate(x, start=first):
        of = {"routing": "dar", "params": {"span": i, **params}} if i else {}
        for seed, value in enumerate(np.exp(entry)):
            trial = toy_trial(**of, pair_id=seed, label=f"e{i}", code=code)
            reached = {"val_loss": value, "train_flops": BUDGET, "budget_flops": BUDGET}
            yield row_of(trial, created=created, **reached)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("variants", [1, 2, 5, 20])
def test_where_nothing_differs_colours_and_tiers_seldom_say_so(seeds, variants):
    x = drawn(np.random.default_rng(seeds), BOARDS, 1 + variants, seeds)
    p = p_values(x[:, 1:] - x[:, :1])
    coloured = (adjusted(p) < 0.05).any(1)
    _, tier = tiers(x)
    assert coloured.mean() <= BOUND
    assert (tier[:, -1] > 1).mean() <= BOUND
    if variants >= 5:  # or the test would show nothing
        assert (p < 0.05).any(1).mean() > 0.1
    if variants == 1:  # of two entries colour and tier are one question
        assert (coloured == (tier[:, -1] > 1)).all()


@pytest.mark.parametrize("seeds", SEEDS)
def test_intervals_cover_the_truth_95_times_in_100(seeds):
    x = drawn(np.random.default_rng(seeds), BOARDS, 2, seeds, [0.0, 0.01])
    interval = stats.ttest_1samp(x[:, 1] - x[:, 0], 0.0, axis=-1).confidence_interval(0.95)
    covered = (interval.low <= 0.01) & (interval.high >= 0.01)
    assert 0.93 <= covered.mean() <= 0.97


@pytest.mark.parametrize("seeds", SEEDS)
def test_editing_until_it_wins_seldom_wins(seeds):
    """The only variant of a board, looked at after every edit; the versions before it count."""
    x = drawn(np.random.default_rng(seeds), BOARDS, 1 + 20, seeds)
    d = x[:, 1:] - x[:, :1]
    p, better = p_values(d), d.mean(-1) < 0
    won, alone, parted = (np.zeros(BOARDS, bool) for _ in range(3))
    rates = {}
    for k in range(20):
        family = p[:, : k + 1].copy()
        family[:, k] = np.minimum(1, family[:, k] * (1 + k / 2))
        coloured = adjusted(family)[:, k] < 0.05
        splits = p[:, k] < pair_level(k + 2)
        assert coloured[splits].all()  # a tier between add and the variant has its colour
        won |= coloured & better[:, k]
        parted |= splits & better[:, k]
        alone |= (p[:, k] < 0.05) & better[:, k]
        rates[k + 1] = won.mean(), parted.mean(), alone.mean()
    for versions in (5, 10, 20):
        coloured, split, without = rates[versions]
        assert coloured <= BOUND and split <= BOUND
        assert without > 0.08  # or the test would show nothing


@pytest.mark.parametrize("seeds", SEEDS)
def test_whole_boards_say_what_the_arrays_say(seeds):
    shifts = np.linspace(-0.04, 0.03, 12)
    shifts[0], split = 0.0, 0
    for x in drawn(np.random.default_rng(seeds), 4, 12, seeds, shifts):
        frame = rank(to_frame(rows_of(x))).frame
        order, tier = (found[0] for found in tiers(x[None]))
        assert frame["label"].to_list() == [f"e{i}" for i in order]
        assert frame["tier"].to_list() == [*tier]
        p = dict(zip(frame["label"], frame["val_loss_p_adjusted"], strict=True))
        wanted = adjusted(p_values(x[1:] - x[:1]))
        assert [p[f"e{i}"] for i in range(1, 12)] == pytest.approx([*wanted])
        score = dict(zip(frame["label"], frame["score"], strict=True))
        ratios = np.exp((x - x[:1]).mean(-1))
        assert [score[f"e{i}"] for i in range(12)] == pytest.approx([*ratios])
        split += tier[-1] > 1
    assert split  # some boards have tiers


@pytest.mark.parametrize("moved", [False, True], ids=["code alone", "a default too"])
def test_a_whole_board_counts_the_versions_that_were_edited_away(moved):
    x = drawn(np.random.default_rng(0), 1, 5, 5, [0, 0, 0.01, 0, -0.012])[0]
    rows = [*rows_of(x[:1])]
    for version, entry in enumerate(x[1:]):
        when = f"2031-05-0{version + 1}T10:00:00"
        params = {"heads": version + 1} if moved else {}
        rows += rows_of(entry[None], f"v{version}", when, first=1, **params)
    (dar,) = (row for row in rank(to_frame(rows)).rows if row.routing == "dar" and not row.stale)
    p = p_values(x[1:] - x[:1])
    p[-1] *= 1 + 3 / 2
    assert dar.variant_code_hash == "v3" and dar.versions == 3
    assert dar.metrics["val_loss"].p_adjusted == pytest.approx(adjusted(p)[-1])
    assert "3 earlier versions" in dar.mark
