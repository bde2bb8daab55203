"""Sweeps are killed at seeded random points, and the same command ends what they began."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.search import crash
from tests.search.crash import SPACES, Point, crashed, explained, hashes, points, uninterrupted

FEW = [Point("ledger", "grid", 2, 0), Point("raylet", "grid", 1, 0.1)]


@pytest.fixture(scope="module")
def whole():
    """A folder with a short path, for the sake of Ray's sockets."""
    with TemporaryDirectory(prefix="m", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def expected(whole):
    """The row hashes of a sweep that nobody killed, by sampler."""
    found = {}

    def of(sampler: str) -> set[str]:
        if sampler not in found:
            folder = whole / sampler
            folder.mkdir()
            found[sampler] = uninterrupted(folder, whole, sampler)
        return found[sampler]

    return of


def lost_and_found(whole, expected, point):
    folder, scratch = whole / str(point), whole / f"s{abs(hash(point))}"
    folder.mkdir()
    scratch.mkdir()
    kept, codes = crashed(folder, scratch, point)
    print(f"{point}: {kept} rows before, exit codes {codes}")
    assert codes[-1] == 0
    if point.sampler != "tpe":
        assert hashes(folder / "out") == expected(point.sampler)
    if point.sampler != "grid":
        explained(folder / "out")


@pytest.mark.slow
@pytest.mark.parametrize("point", FEW, ids=str)
def test_a_sweep_that_is_killed_loses_nothing(whole, expected, point):
    lost_and_found(whole, expected, point)


@pytest.mark.slow
@pytest.mark.parametrize("point", points(), ids=str)
def test_wherever_a_sweep_is_killed_it_loses_nothing(whole, expected, point):
    lost_and_found(whole, expected, point)


def test_the_points_are_the_same_every_time_and_of_all_kinds():
    assert points() == points() and len(points()) == 25
    assert {point.victim for point in points()} == {*crash.PARTS, *crash.PLACES}
    assert {point.sampler for point in points()} == {*SPACES}
