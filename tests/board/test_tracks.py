"""The effect that a variant has on the other track: settings as they were set, and tuned."""

import pytest

from darbench.board.rank import sections
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows

RATE = ("training.lr",)
FIXED = (entry_rows("add"), entry_rows("dar", ratio=0.9, wobble=0.002), entry_rows("mhc"))
TUNED = (
    entry_rows("add", lr=1e-2, ratio=0.8),
    entry_rows("dar", lr=3e-3, ratio=0.76, wobble=0.001),
)


def boards(fixed, tuned):
    places = {}
    for place, groups in ((Place(), fixed), (Place(tuned=RATE), tuned)):
        for group in groups:
            places.setdefault(group[0]["config_hash"], []).append(place)
    rows = [row for group in (*fixed, *tuned) for row in group]
    return sections(to_frame(rows), Declared(places=places))


def of(board, label):
    return next(row for row in board.rows if row.label == label)


def test_each_track_tells_the_effect_on_the_other():
    fixed, tuned = boards(FIXED, TUNED)
    assert (fixed.tuned, tuned.tuned) == ((), RATE)
    for here, there in ((fixed, tuned), (tuned, fixed)):
        other = of(there, "dar").metrics["val_loss"]
        row = of(here, "dar")
        assert (row.other_effect, row.other_low, row.other_high) == (
            other.effect,
            other.low,
            other.high,
        )
    assert of(fixed, "dar").other_effect == pytest.approx(0.76 / 0.8 - 1, abs=1e-3)
    assert of(tuned, "dar").other_effect == pytest.approx(-0.1, abs=1e-3)


def test_who_is_not_there_or_there_twice_has_no_other_effect():
    fixed, tuned = boards(FIXED, (*TUNED, entry_rows("dar", lr=2e-3, label="slow", ratio=0.7)))
    assert of(fixed, "mhc").other_effect is None
    assert of(fixed, "dar").other_effect is None
    assert of(tuned, "slow").other_effect == pytest.approx(-0.1, abs=1e-3)


def test_one_track_alone_has_no_other():
    (board,) = boards(FIXED, ())
    assert board.frame["other_effect"].null_count() == 3
