"""docs/deep_linear.md, run as it stands: what it prints, and an equation for what it descends."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

PAGE = (Path(__file__).parents[1] / "docs" / "deep_linear.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page():
    """The page's names after its first block, which defines the network and its descent."""
    names = {}
    exec(compile(BLOCKS[0], "deep_linear.md", "exec"), names)
    return names


def printed(page, block, capsys):
    exec(compile(BLOCKS[block], "deep_linear.md", "exec"), dict(page))
    return capsys.readouterr().out.splitlines()


def test_addition_falls_as_a_power_of_time_to_a_loss_and_learnt_weights_linearly_to_none(
    page, capsys
):
    lines = printed(page, 1, capsys)
    depths = [int(line.split()[0]) for line in lines]
    assert min(depths) == 3 and max(depths) == 6
    for depth, line in zip(depths, lines, strict=True):
        number = r"(-?[\d.e-]+)"
        told = rf"add {number}, excess as t\^{number} .* learnt {number}, as exp\({number} t\)"
        left, power, reached, rate = map(float, re.search(told, line).groups())
        assert left == pytest.approx(0.5, abs=1e-3)  # half the square of -1
        assert power == pytest.approx(-depth / (depth - 2), rel=0.06)
        assert reached < 1e-20 and rate < -1


def test_the_logarithm_of_the_loss_is_a_line_where_weights_are_learnt(page):
    losses = page["descend"](*page["network"]("static_scalars", 4), steps=200).numpy()
    time, log = np.arange(60, 200), np.log(losses[60:])
    assert losses[-1] > 1e-25 and np.corrcoef(time, log)[0, 1] < -0.999
    power = page["descend"](*page["network"]("add", 4), steps=1500).numpy() - 0.5
    both = np.log(np.arange(300, 1500)), np.log(power[300:])
    assert np.corrcoef(*both)[0, 1] < -0.999
    assert np.corrcoef(np.arange(300, 1500), both[1])[0, 1] > -0.99  # no line in time


@pytest.mark.parametrize("depth", [3, 5])
def test_descent_of_add_is_the_flow_of_each_eigenvalue(page, depth, monkeypatch):
    """u' = -(u^K - a) u^(K - 1) from u = 1, and the loss is half the sum of (u^K - a)^2."""
    monkeypatch.setitem(page, "RATE", 1e-3)
    losses = page["descend"](*page["network"]("add", depth), steps=1501).numpy()
    goal, times = page["EIGENVALUES"].numpy(), [0, 0.25, 0.5, 1, 1.5]

    def flow(_, u):
        return -(u**depth - goal) * u ** (depth - 1)

    u = solve_ivp(flow, (0, 1.5), np.ones(4), t_eval=times, rtol=1e-10, atol=1e-12).y
    expected = ((u**depth - goal[:, None]) ** 2).sum(axis=0) / 2
    assert losses[[0, 250, 500, 1000, 1500]] == pytest.approx(expected, rel=5e-3)


def test_a_shortcut_to_the_first_layer_waits_the_longer_the_smaller_the_start(page, capsys):
    told = r"start ([\d.]+): half the loss after (\d+) steps \(0:1\), (\d+) \(0:3\), (\d+)"
    rows = [re.match(told, line).groups() for line in printed(page, 2, capsys)]
    start, first, last, learnt = np.array(rows, float).T
    assert (start[:-1] / start[1:] == 2).all()
    assert first[1:] / first[:-1] == pytest.approx(2, rel=0.2)  # as 1 / start, for K = 4
    assert (last == last[0]).all() and last[0] < 15
    assert np.diff(learnt) == pytest.approx(np.diff(learnt).mean(), abs=2)  # as its logarithm
    assert learnt.max() < first.min() / 2
