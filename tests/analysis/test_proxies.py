"""What a proxy foretells: tau by counting pairs, and an interval that covers it."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.entries import entries
from darbench.analysis.proxies import FEWEST, correlations, interval
from tests.make.rows import BUDGET, trial_rows
from tests.make.trials import toy_trial


def scored(proxies, scores, column="probe_r2_early"):
    """Entries with one seed each, with a proxy and a score."""
    rows = []
    for i, proxy in enumerate(proxies):
        own = trial_rows(toy_trial("dar", params={"span": i + 1}))
        rows += [row | {column: proxy} for row in own]
    by_span = sorted(entries(rows, BUDGET, {}), key=lambda entry: entry.config["params"]["span"])
    return [*zip(by_span, scores, strict=True)]


def of(found, name="probe_r2_early"):
    (one,) = [each for each in found if each.proxy == name]
    return one


def test_tau_is_the_share_of_pairs_in_order_less_that_of_pairs_in_disorder():
    proxies, scores = [0.1, 0.4, 0.2, 0.9, 0.5, 0.3], [1.0, 0.8, 0.9, 0.7, 0.95, 0.85]
    signs = [
        math.copysign(1, (a - b) * (x - y))
        for (a, x), (b, y) in combinations(zip(proxies, scores, strict=True), 2)
    ]
    found = of(correlations(scored(proxies, scores)))
    assert found.tau == pytest.approx(sum(signs) / len(signs)) and found.n == 6
    assert -1 <= found.low < found.tau < found.high < 1


def test_a_proxy_that_is_the_same_for_all_says_so_and_has_no_tau():
    found = of(correlations(scored([0.5] * 4, [1, 2, 3, 4])))
    assert found.constant and found.tau is None and found.low is None


def test_what_no_entry_has_is_left_out_and_entries_without_it_do_not_count():
    found = correlations(scored([0.1, None, 0.3], [1.0, 2.0, 3.0]))
    assert of(found).n == 2 and of(found).tau == 1 and of(found).low is None
    assert "probe_r2_early" not in {c.proxy for c in correlations(scored([None] * 3, [1, 2, 3]))}


def test_the_trivial_proxies_come_first():
    names = [each.proxy for each in correlations(scored([0.1, 0.2], [1.0, 2.0]))]
    assert names[:2] == ["params_total", "params_routing"] and names[-1] == "probe_r2_early"


@pytest.mark.parametrize("n", [5, 11, 30])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_interval_covers_the_tau_of_the_normal_distribution(n, rho):
    """tau is 2 / pi asin rho (Greiner); 4000 draws, so 95 % is seen to within 0.7 %."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, n))
    y = rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((4000, n))
    tau = 2 / math.pi * math.asin(rho)
    taus = [stats.kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    covered = [low <= tau <= high for low, high in (interval(t, n) for t in taus)]
    assert 0.93 < np.mean(covered) <= 1


def test_few_entries_have_no_interval_and_perfect_order_has_one():
    assert interval(0.5, FEWEST - 1) == (None, None)
    low, high = interval(1.0, 11)
    assert 0.5 < low < 1 and high == 1
