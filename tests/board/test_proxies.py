"""The table of what foretells the order of a section's entries."""

import re

from scipy import stats

from tests.make.pages import render
from tests.make.rows import trial_rows
from tests.make.trials import toy_trial

LEVELS = [1.0, 0.9, 1.2, 0.8, 1.1, 0.95]
EARLY = [0.3, 0.5, 0.2, 0.4, 0.25, 0.6]


def page(tmp_path, count):
    rows = []
    for i, level in enumerate(LEVELS[:count]):
        trial = toy_trial("dar" if i else "add", params={"span": i} if i else None, label=f"n{i}")
        more = {"probe_r2_early": EARLY[i], "t_sensitivity_early": 0.0}
        rows += [row | more for row in trial_rows(trial, level=level)]
    return render(tmp_path, rows)


def cells(text, proxy):
    row = re.search(rf"<code>{proxy}</code>.*?</tr>", text, re.DOTALL)[0]
    return [re.sub("<[^>]*>", " ", cell).split() for cell in re.findall(r"<td.*?</td>", row)]


def test_a_proxy_stands_with_its_tau_and_interval_the_trivial_ones_first(tmp_path):
    text = page(tmp_path, 6)
    _, tau, entries = cells(text, "probe_r2_early")
    known = stats.kendalltau(EARLY, LEVELS).statistic
    assert tau[0] == f"{known:+.2f}".replace("-", "−") and entries == ["6"]
    assert text.index("<code>params_total</code>") < text.index("<code>probe_r2_early</code>")
    assert "trivial" in re.search(r"<code>params_total</code>.*?</th>", text)[0]


def test_a_proxy_that_is_the_same_for_all_says_so(tmp_path):
    assert cells(page(tmp_path, 6), "t_sensitivity_early")[1] == ["the", "same", "for", "all"]


def test_of_fewer_entries_than_an_interval_takes_nothing_is_said(tmp_path):
    assert "What foretells the order" not in page(tmp_path, 4)
