from darbench.board import cells


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
