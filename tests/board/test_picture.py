import math
import re

import pytest

from darbench.board.picture import WIDTH, picture
from darbench.pages.colours import Style


def curve(*points):
    return [{"train_flops": flops, "mean": mean} for flops, mean in points]


def drawn(points, budget=8e12):
    return picture(points, budget, {entry: Style("#3a86d8", "dash") for entry in points})


def places(line):
    return [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", line.path)]


def test_a_power_law_is_a_straight_line_from_edge_to_edge():
    points = {"a": curve(*((f * 1e12, f**-0.5) for f in (1, 2, 4, 8)))}
    found = drawn(points)
    (x0, y0), *_, (x1, y1) = places(found.lines[0])
    for x, y in places(found.lines[0]):
        assert y == pytest.approx(y0 + (y1 - y0) * (x - x0) / (x1 - x0), abs=0.2)
    span = found.right - found.left
    assert (x0, x1) == pytest.approx(
        (found.left + 0.04 * span, found.right - 0.04 * span), abs=0.1
    )
    assert found.top < y0 < y1 < found.bottom and found.budget == x1
    assert [tick.at for tick in found.x_ticks] == [x for x, _ in places(found.lines[0])[::-1]]


@pytest.mark.parametrize(("low", "high"), [(0.31, 0.47), (12.0, 240.0), (1.0, 1.004), (9.9, 10.1)])
def test_values_have_round_ticks_where_they_stand(low, high):
    found = drawn({"a": curve((1e12, high), (8e12, low))})
    top, bottom = (y for _, y in places(found.lines[0]))
    assert 2 <= len(found.y_ticks) <= 9
    for tick in found.y_ticks:
        share = (math.log(float(tick.text)) - math.log(low)) / math.log(high / low)
        assert tick.at == pytest.approx(bottom + (top - bottom) * share, abs=2)


def test_one_point_is_a_dot_and_no_budget_no_line():
    found = drawn({"a": curve((1e12, 0.5)), "b": curve((1e12, 0.5))}, None)
    (start, end), _ = (places(line) for line in found.lines)
    assert start == end and 0 < start[0] < WIDTH and found.budget is None
    assert len(found.y_ticks) == 1
