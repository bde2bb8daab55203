"""The formulas of the browser, one by one: Student's t, paired effects, values at a budget."""

import random

import mpmath
import pytest
from scipy import stats

from darbench.analysis.effects import interpolate_log, paired_effect
from tests.make.close import close


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
