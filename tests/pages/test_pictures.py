"""What a page holds of diagnoses: who is drawn, and in which room."""

import json

import polars as pl
import pytest

from darbench.pages.colours import GREY, style
from darbench.pages.pictures import Subject, pictures
from tests.make.diagnoses import TIMES, table
from tests.make.pages import unpacked

TABLE = table(("a0", 0, False), ("a1", 1, False), ("d0", 0, True), ("d1", 1, True))


def of(trials):
    return TABLE.filter(pl.col("trial").is_in([*trials]))


ADD = Subject(name="a-1", title="add", style=GREY, baseline=True, trials=("a0", "a1"))
DAR = Subject(name="d-1", title="dar", style=style(0), baseline=False, trials=("d0", "d1"))


def metas(made, place):
    entry = json.loads(unpacked(made.data))["entries"][place]
    return {meta["name"] for meta in entry["arrays"]}


def test_a_report_has_all_that_was_measured_and_gates_of_add_alone():
    made = pictures("d1", "What", [ADD, DAR], of)
    assert made.subjects == [ADD, DAR] and made.beside == [] and made.first == DAR
    assert made.times == TIMES and made.weighs
    assert "gate_gradient" in metas(made, 0) - metas(made, 1)
    assert {"softmax_weights", "rms_v", "relative_grad_v"} <= metas(made, 1)
    ids = [figure.id for figure in made.figures]
    assert ids[:4] == ["magnitude", "gradient", "output-gradient", "cosine"]
    assert {"matrix", "mixing", "gates", "entropy", "probe", "output-magnitude"} <= {*ids}


def test_in_a_room_the_first_ones_stand_and_the_others_are_named():
    all_in = pictures("d1", "What", [ADD, DAR], of, room=10**6)
    first = len(all_in.packs[0])
    made = pictures("d1", "What", [ADD, DAR], of, room=first)
    assert made.subjects == [ADD] and made.beside == [DAR] and made.packs == all_in.packs[:1]
    assert pictures("d1", "What", [ADD, DAR], of, room=first - 1).subjects == []
    assert "rms_v" not in metas(made, 0) and "output-magnitude" not in {f.id for f in made.figures}


def test_a_room_takes_less_of_maps():
    whole, small = (pictures("d1", "What", [DAR], of, room=room) for room in (None, 10**6))
    assert len(small.packs[0]) < 0.7 * len(whole.packs[0])


@pytest.mark.parametrize(("depth", "rows"), [(2, 5), (12, 25), (48, 25)])
def test_maps_of_deep_models_have_every_nth_site_and_the_last(depth, rows):
    deep = table(("a", 0, True), depth=depth)
    made = pictures("d1", "What", [DAR], lambda trials: deep, room=10**6)
    held = json.loads(unpacked(made.data))
    (meta,) = (m for m in held["entries"][0]["arrays"] if m["name"] == "softmax_weights")
    t, k, j = (held["axes"][which] for _, which in meta["axes"])
    assert t == TIMES[::2] and len(k) == rows and k[-1] == 2 * depth and len(j) == 2 * depth + 1


def test_the_same_table_makes_the_same_bytes():
    assert pictures("d1", "W", [ADD, DAR], of) == pictures("d1", "W", [ADD, DAR], of)
