"""Controls on a board: shown beside the routings, neither ranked nor counted; and contrasts."""

import math

import pytest

from darbench.board import page
from darbench.board.cells import bar_reach
from darbench.board.rank import rank, sections
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial

SEEDS = (0, 1, 2, 3, 4)
SAID = "parameters of dar met within +0.02 % by mlp_hidden=40 <b>"
SKIP, WIDE = {"model": {"skip": "time"}}, {"model": {"mlp_hidden": 40}}
ROUTINGS = (
    entry_rows("add", SEEDS),
    entry_rows("dar", SEEDS, ratio=0.98, wobble=0.003),
    entry_rows("unet", SEEDS, ratio=0.95, wobble=0.002),
)
CONTROLS = (
    entry_rows("add", SEEDS, label="skip", ratio=0.7, wobble=0.001, **SKIP),
    entry_rows("add", SEEDS, label="wide", ratio=0.99, wobble=0.001, **WIDE),
    entry_rows("add", SEEDS, label="add data", ratio=0.5, objective="data"),
    entry_rows("unet", SEEDS, label="unet data", ratio=0.49, wobble=0.004, objective="data"),
)


def declared():
    changes = [("add", SKIP), ("add", WIDE)] + [
        (r, {"objective": "data"}) for r in ("add", "unet")
    ]
    said = {toy_trial(routing, **own).config_hash: "" for routing, own in changes}
    return Declared(controls=said | {toy_trial("add", **WIDE).config_hash: SAID})


def board(*groups):
    return rank(to_frame(row for group in groups for row in group), declared())


def by_label(leaderboard):
    return {row.label or row.routing: row for row in leaderboard.rows}


def test_controls_change_no_rank_tier_or_p_value_of_the_routings():
    with_controls, without = board(*ROUTINGS, *CONTROLS), board(*ROUTINGS)
    assert [row for row in with_controls.rows if not row.control] == list(without.rows)
    assert with_controls.tried == without.tried == 3
    assert with_controls.reference == without.reference


def test_a_control_far_off_does_not_flatten_the_intervals_of_what_is_ranked():
    with_controls, without = board(*ROUTINGS, *CONTROLS), board(*ROUTINGS)
    reach = bar_reach(without.rows, "val_loss")
    assert bar_reach(with_controls.rows, "val_loss") == reach
    assert 0.05 < reach < 0.06  # what unet gains, and the far end of its interval
    only = [row for row in with_controls.rows if row.control]
    assert bar_reach(only, "val_loss") > 0.3


def test_a_control_has_an_effect_and_an_interval_and_neither_rank_nor_verdict():
    found = by_label(board(*ROUTINGS, *CONTROLS))
    skip = found["skip"]
    assert (skip.rank, skip.tier, skip.score) == (None, None, None)
    standing = skip.metrics["val_loss"]
    assert standing.effect == pytest.approx(-0.3, abs=0.01) and standing.high < 0
    assert standing.p_adjusted is None and not skip.baseline
    assert skip.against == found["add"].entry
    assert skip.mark == "control" and found["wide"].mark == f"control: {SAID}"
    assert found["unet data"].against == found["add data"].entry
    assert found["unet data"].metrics["val_loss"].effect == pytest.approx(-0.02, abs=0.01)
    assert found["add data"].mark == ("control, add has another training, loss clipped near t = 1")


def test_a_loss_that_is_clipped_is_ranked_with_no_other_and_a_distance_is():
    """By its loss an entry that predicts the data would be ahead for nothing."""
    data = entry_rows("unet", SEEDS, ratio=0.5, wobble=0.001, label="mixed", objective="data")
    for metric, rank_of in (("val_loss", None), ("fd", 1)):
        rows = [row | {"rank_by": metric} for group in (*ROUTINGS, data) for row in group]
        mixed = by_label(rank(to_frame(rows)))["mixed"]
        assert mixed.rank == rank_of and "loss clipped near t = 1" in mixed.mark


def test_an_add_that_predicts_the_data_says_why_it_has_no_rank_though_it_is_its_own_baseline():
    velocity = ROUTINGS[:2]
    data = [entry_rows(r, SEEDS, label=f"{r} data", objective="data") for r in ("add", "unet")]
    rows = [row for group in (*velocity, *data) for row in group]
    declared = Declared(seeds={row["config_hash"]: SEEDS for row in rows})  # in this order
    found = by_label(rank(to_frame(rows), declared))
    for label in ("add data", "unet data"):
        assert found[label].rank is None and found[label].against == found["add data"].entry
        assert found[label].mark == "loss clipped near t = 1, not ranked: add has another loss"
    assert found["dar"].mark == found["add"].mark == ""


def test_an_add_that_predicts_the_data_is_no_reference_beside_one_that_does_not():
    data = entry_rows("add", SEEDS, label="add data", objective="data")
    rows = [row for group in (data, *ROUTINGS) for row in group]
    declared = Declared(seeds={row["config_hash"]: SEEDS for row in rows})  # in this order
    found = by_label(rank(to_frame(rows), declared))
    assert found["dar"].rank and found["unet"].rank and found["add data"].rank is None


def test_what_predicts_velocities_is_not_said_to_be_clipped_where_the_reference_is():
    data = entry_rows("add", SEEDS, label="add data", objective="data")
    rows = [*data, *ROUTINGS[1]]
    declared = Declared(seeds={row["config_hash"]: SEEDS for row in rows})
    found = by_label(rank(to_frame(rows), declared))
    assert found["dar"].rank is None and "clipped" not in found["dar"].mark
    assert "not ranked: add data has another loss" in found["dar"].mark
    assert found["add data"].rank == 1 and found["add data"].mark == "loss clipped near t = 1"


def test_controls_stand_below_the_ranked_and_above_what_is_not_finished():
    waiting = entry_rows("mhc", SEEDS[:2])
    seeds = {row["config_hash"]: list(SEEDS) for group in ROUTINGS for row in group}
    seeds[waiting[0]["config_hash"]] = list(SEEDS)
    rows = [row for group in (*CONTROLS, waiting, *ROUTINGS) for row in group]
    leaderboard = rank(to_frame(rows), declared().extended(seeds))
    labels = [row.label or row.routing for row in leaderboard.rows]
    assert labels == ["unet", "dar", "add", "add data", "skip", "unet data", "wide", "mhc"]


def test_the_page_marks_controls_and_shows_the_contrast(tmp_path):
    frame = to_frame(row for group in (*ROUTINGS, *CONTROLS) for row in group)
    boards = sections(frame, declared())
    path = page.write_page("toy", boards, tmp_path, tmp_path / "samples", command="")
    text = path.read_text(encoding="utf-8")
    assert "control: parameters of dar met within +0.02 % by mlp_hidden=40 &lt;b&gt;" in text
    assert "it has an interval and is neither ranked nor corrected for" in text
    (contrast,) = boards[0].contrasts
    # The ratios to `add` of the same objective are 0.95 and 0.98 in the middle.
    assert contrast.difference.mean == pytest.approx(0.95 / 0.98 - 1, abs=0.003)
    shown = f"{100 * contrast.difference.mean:.1f} %".replace("-", "\u2212")
    table = text.partition("Gain with velocities minus gain with data")[2].partition("</table>")[0]
    assert f"<td>{shown}" in table and '<th scope="row">unet</th>' in table
    assert math.copysign(1, contrast.difference.high) < 0


def test_a_board_without_controls_says_nothing_of_them(tmp_path):
    boards = sections(to_frame(row for group in ROUTINGS for row in group))
    path = page.write_page("toy", boards, tmp_path, tmp_path / "samples", command="")
    text = path.read_text(encoding="utf-8")
    assert "A control changes" not in text and "Gain with velocities" not in text


def test_a_control_that_has_not_finished_stands_below_the_routings_that_have_not():
    add = entry_rows("add", SEEDS[:2])
    dar = entry_rows("dar", SEEDS[:2], ratio=1.1, wobble=0.01)
    control = [row for row in CONTROLS[0] if row["pair_id"] in SEEDS[:2]]
    seeds = {group[0]["config_hash"]: list(SEEDS) for group in (add, dar, control)}
    rows = [row for group in (control, add, dar) for row in group]
    board = rank(to_frame(rows), declared().extended(seeds))
    assert [row.control for row in board.rows] == [False, False, True]
