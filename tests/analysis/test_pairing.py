"""Rows whose audits were doctored: what is no pair is not compared as one."""

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.pairing import differences
from darbench.board.page import write_page
from darbench.board.rank import rank, sections
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows, seed_level

AUDITS = {
    "audit_init": "initial values differ",
    "audit_data": "data order differs",
    "audit_noise": "noise or times differ",
    "audit_generation": "generation noise differs",
}


def audited(routing="add", *, step=None, change=(), **keywords):
    """Rows with audits, those in `change` another's than add's: {name: pair ids}."""
    rows, change = entry_rows(routing, **keywords), dict(change)
    for row in rows:
        row["audit_step"] = step or 2 ** (row["step"].bit_length() - 1)
        for name in AUDITS:
            upto = row["audit_step"] if name in ("audit_data", "audit_noise") else ""
            other = row["pair_id"] in change.get(name, ())
            row[name] = f"{name}{row['pair_id']}{upto}{'!' * other}"
        if row["fd"] is None:
            row["audit_generation"] = None
    return rows


def dar(*groups):
    frame = rank(to_frame(row for group in groups for row in group)).frame
    return next(row for row in frame.to_dicts() if row["routing"] == "dar")


VARIANT = {"ratio": 0.9, "wobble": 0.01}


@pytest.mark.parametrize("cost", [1.0, 1.37, 1.9])
def test_whole_pairs_are_compared_as_rows_without_audits_are(cost):
    wanted = dar(entry_rows("add"), entry_rows("dar", cost=cost, **VARIANT))
    found = dar(audited(), audited("dar", cost=cost, **VARIANT))
    assert found == wanted and found["mark"] == "" and found["val_loss_n"] == 3


@pytest.mark.parametrize("name", AUDITS)
def test_an_entry_without_a_whole_pair_has_no_effect(name):
    found = dar(audited(), audited("dar", change={name: (0, 1, 2)}, **VARIANT))
    assert found["mark"] == f"not paired with add: {AUDITS[name]}"
    for metric in ("val_loss", "fd"):
        assert found[f"{metric}_effect"] is found[f"{metric}_p_adjusted"] is None
    assert found["rank"] is found["score"] is None


def test_broken_pairs_are_left_out_of_the_paired_differences():
    rows = audited("dar", change={"audit_data": (2,), "audit_noise": (2,)}, **VARIANT)
    found = dar(audited(), rows)
    assert found["mark"] == (
        "not paired with add in seed 2: data order differs, noise or times differ"
    )
    add = np.log([seed_level(pair) for pair in (0, 1)])
    oracle = stats.ttest_rel(add + np.log(0.9) + np.log([1 - 0.01, 1]), add)
    interval = oracle.confidence_interval(0.95)
    assert found["val_loss_n"] == 2 and found["val_loss_p"] is None  # it is not of all seeds
    assert found["val_loss_low"] == pytest.approx(np.expm1(interval.low))
    assert found["val_loss_high"] == pytest.approx(np.expm1(interval.high))


def test_checkpoints_at_other_steps_are_compared_where_the_hashed_steps_meet():
    """add was hashed up to 64, 128 and 256; the variant up to 32, 64 and 128."""
    costly = audited("dar", cost=1.9, change={"audit_noise": (0,)}, **VARIANT)
    assert {row["audit_step"] for row in costly} == {32, 64, 128}
    assert "in seed 0: noise" in dar(audited(), costly)["mark"]


def test_what_a_routing_draws_is_its_own_affair_but_its_attempts_must_agree():
    drawing = [dict(row, audit_draws=f"own{row['step']}") for row in audited("dar", **VARIANT)]
    found = dar(audited(), drawing)
    assert found["mark"] == "" and found["val_loss_n"] == 3
    again = [dict(row, audit_draws="other", attempt=2) for row in drawing if row["step"] > 100]
    kept = differences(audited(), drawing), differences(audited(), drawing + again)
    assert kept == ([], ["attempts of one trial drew different numbers"])


def test_what_is_unknown_is_not_broken():
    changed = audited("dar", change={name: (0, 1, 2) for name in AUDITS}, **VARIANT)
    for group in ((entry_rows("add"), changed), (audited(), entry_rows("dar", **VARIANT))):
        found = dar(*group)
        assert found["mark"] == "" and found["val_loss_n"] == 3
    never = audited("dar", step=8, change={"audit_data": (0, 1, 2)}, **VARIANT)
    assert dar(audited(), never)["val_loss_n"] == 3


def test_initial_values_of_another_backbone_are_no_broken_pair():
    """The leader of a tier may be of another backbone; there is no baseline of add's then."""
    rows = [
        *audited(),
        *audited(
            "add", label="deep", depth=4, ratio=0.9, wobble=0.001, change={"audit_init": (0, 1, 2)}
        ),
    ]
    frame = rank(to_frame(rows)).frame
    assert frame["tier"].to_list() == [1, 2]
    broken = [dict(row, audit_data="!") if row["label"] == "deep" else row for row in rows]
    assert rank(to_frame(broken)).frame["tier"].to_list() == [1, None]


def test_pairs_of_other_kernels_are_compared_and_marked():
    variant = [
        entry_rows("dar", (pair,), arithmetic=1 + (pair == 2), **VARIANT) for pair in range(3)
    ]
    add = entry_rows("add", arithmetic=1)
    found, wanted = dar(add, *variant), dar(add, entry_rows("dar", arithmetic=1, **VARIANT))
    assert found["mark"] == "other kernels than add in seed 2" and wanted["mark"] == ""
    assert found == wanted | {"mark": found["mark"]} and found["val_loss_n"] == 3
    newer = entry_rows("dar", arithmetic=2, **VARIANT)
    assert dar(add, newer)["mark"] == "other kernels than add"
    assert dar(entry_rows("add"), newer)["mark"] == ""  # unknown


def test_a_tier_that_other_kernels_lead_is_marked():
    """The two are of different backbones, so neither is the other's baseline."""
    deep = entry_rows("add", label="deep", depth=4, arithmetic=1, **VARIANT)
    frame = rank(to_frame([*deep, *entry_rows("add", arithmetic=2)])).frame
    assert frame["label"].to_list() == ["deep", "add"]
    assert frame["mark"].to_list() == ["", "other kernels than add"]
    frame = rank(to_frame([*deep, *entry_rows("add", arithmetic=1)])).frame
    assert frame["mark"].to_list() == ["", ""]


def test_the_page_says_so(tmp_path):
    rows = audited() + audited("dar", change={"audit_data": (0, 1, 2)}, **VARIANT)
    path = write_page("toy", sections(to_frame(rows)), tmp_path, tmp_path / "samples")
    assert "not paired with add: data order differs" in path.read_text(encoding="utf-8")
