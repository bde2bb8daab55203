"""What an entry tells of its past: versions of its source, and looks with fewer seeds."""

import pytest

from darbench.board.rank import rank
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial

EARLY, LATE = "2031-05-01T09:00:00", "2031-05-02T10:00:00"
DAR = toy_trial("dar").config_hash


def dar(rows, **declared):
    board = rank(to_frame(rows), Declared(**declared))
    return next(row for row in board.rows if row.routing == "dar" and not row.stale)


def test_versions_before_an_edit_are_counted():
    rows = [*entry_rows("add")]
    for day, code in enumerate(("a", "b", "c"), start=1):
        rows += entry_rows("dar", code=code, created=f"2031-05-0{day}T10:00:00", wobble=0.01)
    rows += entry_rows("dar", (7,), code="s", split="search", created=EARLY)  # it ranked nothing
    row = dar(rows)
    assert (row.variant_code_hash, row.versions, row.mark) == ("c", 2, "2 earlier versions")
    assert dar(rows, sources={"dar": "a"}).versions == 2  # whichever is the current one


def test_an_edit_that_moves_or_adds_a_default_is_a_version_too():
    """Its configuration is another, and the one before never runs again: stale all the same."""
    rows = [*entry_rows("add")]
    for day, params in enumerate(({}, {"span": 2}, {"span": 2, "gain": True}), start=1):
        when = f"2031-05-0{day}T10:00:00"
        rows += entry_rows("dar", code=f"v{day}", params=params, created=when, wobble=0.01)
    rows += entry_rows("dar", code="v0", lr=0.5, created=EARLY)  # another training: no version
    rows += entry_rows("dar", code="v9", depth=4, created=EARLY)
    for declared in ({}, {"sources": {"dar": "v3"}}):
        assert dar(rows, **declared).mark == "2 earlier versions"
        board = rank(to_frame(rows), Declared(**declared))
        marks = {row.variant_code_hash: row.mark for row in board.rows if row.routing == "dar"}
        for code in ("v0", "v1", "v2", "v9"):
            assert "source has changed since, and it has not run again yet" in marks[code]
        assert board.tried == 6
        (p,) = (row.metrics["val_loss"].p for row in board.rows if row.variant_code_hash == "v3")
        adjusted = dar(rows, **declared).metrics["val_loss"].p_adjusted
        assert p is not None and adjusted >= min(1, 2 * p)


def test_the_source_that_was_declared_is_current_even_before_it_has_results():
    rows = [*entry_rows("add"), *entry_rows("dar", code="a")]
    board = rank(to_frame(rows), Declared(sources={"dar": "b"}))
    (row,) = (row for row in board.rows if row.routing == "dar")
    assert row.stale and row.rank is None
    assert (
        row.mark == "stale: the routing's source has changed since, and it has not run again yet"
    )
    both = rank(to_frame([*rows, *entry_rows("dar", code="b")]), Declared(sources={"dar": "b"}))
    marks = [row.mark for row in both.rows if row.stale]
    assert marks == ["stale: the routing's source has changed since"]


@pytest.mark.parametrize(
    ("earlier", "first", "looks"),
    [
        ({}, 5, 0),
        ({"2031-05-01T12:00:00": [0, 1, 2]}, 3, 1),
        ({EARLY: [0, 1]}, 5, 0),  # before any result: nobody had looked
        ({"2031-05-01T12:00:00": [0, 1], "2031-05-01T13:00:00": [0, 1, 2]}, 2, 2),
        ({"2031-05-01T12:00:00": [0, 1, 3]}, 5, 0),  # seed 3 had not finished
    ],
)
def test_seeds_that_were_added_after_a_look_are_told(earlier, first, looks):
    rows = [*entry_rows("add", (0, 1, 2, 3, 4)), *entry_rows("dar", (0, 1, 2))]
    rows += entry_rows("dar", (3, 4), created=LATE)
    row = dar(rows, seeds={DAR: [0, 1, 2, 3, 4]}, earlier={DAR: earlier})
    assert (row.first_ranked, row.looks) == (first, looks)
    times = {1: "once", 2: "2 times"}.get(looks)
    assert row.mark == (f"first ranked at {first} seeds, looked at again {times}" if looks else "")


def test_an_entry_that_waits_for_its_new_seeds_keeps_its_first_look():
    rows = [*entry_rows("add"), *entry_rows("dar")]
    row = dar(rows, seeds={DAR: [0, 1, 2, 3]}, earlier={DAR: {LATE: [0, 1, 2]}})
    assert (row.rank, row.first_ranked, row.looks) == (None, 3, 0)
    assert dar(rows, seeds={DAR: [0, 1, 2, 3]}).first_ranked is None
