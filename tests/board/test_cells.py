from darbench.board import cells
from darbench.board.entry_row import Standing


def test_numbers_are_written_without_noise():
    assert [cells.number(v) for v in (None, 0.4, 16.04, 1234567.0)] == [
        "–",
        "0.400",
        "16.0",
        "1.23e+06",
    ]
    assert [cells.percent(v) for v in (-0.0001, 0.021, -0.3)] == ["0.0 %", "+2.1 %", "−30.0 %"]
    assert cells.interval(-0.099, 0.2051) == "[−9.9, +20.5] %"
    assert cells.power(4e12) == "4.00 × 10¹²"


def test_what_is_coloured_does_not_read_as_nothing():
    """An effect of -0.03 % may stand apart from 0, and a p of 0.0497 lies below 0.05."""
    assert cells.digits(-0.0003, -0.0005, -0.00002) == 3
    assert cells.interval(-0.0005, -0.00002, 3) == "[−0.050, −0.002] %"
    assert cells.digits(0.0, -0.0005, 0.00002) == 1  # it holds 0, and may say so
    assert cells.digits(-0.02, -0.03, -0.01) == 1 and cells.digits(-0.02, None, None) == 1
    told = [cells.p_value(p) for p in (0.0497, 0.0503, 0.05, 0.049999, 0.051, 0.0004, None)]
    wanted = ["0.0497", "0.05", "0.05", "0.049999", "0.051"]
    assert told == [f"p = {text}" for text in wanted] + ["p < 0.001", ""]


def test_an_interval_is_drawn_to_scale_and_its_end_says_that_it_goes_on():
    drawn = cells.interval_bar(Standing(effect=0.01, low=-0.01, high=0.02), reach=0.02)
    assert (drawn.low, drawn.mean, drawn.high) == (27, 73, 96) and drawn.cut == (False, False)
    drawn = cells.interval_bar(Standing(effect=0.01, low=-0.03, high=0.02), reach=0.02)
    assert drawn.low == 4 and drawn.cut == (True, False)
    assert cells.interval_bar(Standing(), reach=0.02) is None
