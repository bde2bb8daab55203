import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from darbench.board.rank import rank, sections
from darbench.errors import BadInput
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.rows import BUDGET, entry_rows, failed_row, seed_level, trial_rows
from tests.make.trials import toy_trial


def board(*groups, **keywords):
    return rank(to_frame(row for group in groups for row in group), **keywords)


def of(leaderboard, label):
    return next(r for r in leaderboard.frame.to_dicts() if r["label"] == label)


def test_effects_are_taken_at_exactly_the_budget():
    """A variant that overshoots by most of a step has add's curve, so its effect is 0."""
    leaderboard = board(entry_rows("add"), entry_rows("dar", cost=1.37))
    dar, add = of(leaderboard, "dar"), of(leaderboard, "add")
    assert dar["val_loss"] == pytest.approx(add["val_loss"], rel=1e-12)
    assert dar["val_loss_effect"] == pytest.approx(0, abs=1e-12)
    assert dar["fd_effect"] == pytest.approx(0, abs=1e-12)
    overshoot = max(r["train_flops"] for r in entry_rows("dar", cost=1.37))
    assert overshoot > BUDGET  # or the test would show nothing


def test_the_effect_is_the_paired_t_interval_on_log_ratios():
    leaderboard = board(entry_rows("add"), entry_rows("dar", ratio=0.98, wobble=0.004))
    dar = of(leaderboard, "dar")
    add = np.log([seed_level(p) for p in range(3)])
    variant = add + np.log(0.98) + np.log([1 - 0.004, 1, 1 + 0.004])
    oracle = stats.ttest_rel(variant, add)
    interval = oracle.confidence_interval(0.95)
    for metric in ("val_loss", "fd"):
        assert dar[f"{metric}_effect"] == pytest.approx(np.expm1(np.mean(variant - add)))
        assert dar[f"{metric}_low"] == pytest.approx(np.expm1(interval.low))
        assert dar[f"{metric}_high"] == pytest.approx(np.expm1(interval.high))
        assert dar[f"{metric}_p"] == pytest.approx(oracle.pvalue)
        assert dar[f"{metric}_n"] == 3
    assert dar["val_loss"] == pytest.approx(np.exp(variant).mean())


def test_ranks_tiers_and_the_leader():
    leaderboard = board(
        entry_rows("add"),
        entry_rows("dar", ratio=0.95, wobble=0.001),
        entry_rows("mhc", ratio=0.951, wobble=-0.003),
        entry_rows("unet", ratio=1.002, wobble=0.05),
    )
    table = leaderboard.frame.select("label", "rank", "tier").rows()
    assert table == [("dar", 1, 1), ("mhc", 2, 1), ("add", 3, 2), ("unet", 4, 2)]
    assert leaderboard.frame["score"].is_sorted()


def test_ranking_by_fd_uses_fd():
    worse = [dict(r, fd=None if r["fd"] is None else r["fd"] * 3) for r in entry_rows("dar")]
    rows = entry_rows("add", ratio=1.01) + worse
    assert board(rows).frame["label"].to_list() == ["dar", "add"]
    by_fd = [dict(row, rank_by="fd") for row in rows]
    assert board(by_fd).frame["label"].to_list() == ["add", "dar"]
    with pytest.raises(BadInput, match="rank metric"):
        board([dict(row, rank_by="recall") for row in rows])


def test_the_last_sweep_says_what_ranks_its_sections():
    rows = [*entry_rows("add"), *entry_rows("dar"), *entry_rows("mhc", lr=1e-2, budget=9e12)]
    add, dar = toy_trial("add").config_hash, toy_trial("dar").config_hash
    mhc = toy_trial("mhc", lr=1e-2).config_hash
    declared = Declared().extended({add: [0], dar: [0]}, rank_by={add: "fd", dar: "fd"})

    def metrics(declared):
        return [b.rank_by for b in sections(to_frame(rows), declared)]  # the larger budget first

    assert metrics(declared) == ["val_loss", "fd"]
    assert metrics(declared.extended({mhc: [0]}, rank_by={mhc: "fd"})) == ["fd", "fd"]
    for key in (add, dar):  # a sweep of a part of the section
        assert metrics(declared.extended({key: [1]}, rank_by={key: "val_loss"})) == [
            "val_loss",
            "val_loss",
        ]
        again = declared.extended({key: [1]}, rank_by={key: "val_loss"}).extended(
            {add: [0]}, rank_by={add: "fd"}
        )
        assert metrics(again) == ["val_loss", "fd"]
    assert metrics(declared.extended({add: [1]})) == ["val_loss", "fd"]


@pytest.mark.parametrize(("early", "late"), [("add", "dar"), ("dar", "add")])
def test_where_no_sweep_said_so_the_latest_row_says_what_ranks(early, late):
    rows = [dict(row, rank_by="val_loss") for row in entry_rows(early)]
    rows += [dict(r, rank_by="fd") for r in entry_rows(late, created="2031-05-02T10:00:00")]
    assert board(rows).rank_by == "fd"


def test_the_correction_counts_the_variants_and_not_add():
    leaderboard = board(
        entry_rows("add"),
        entry_rows("dar", ratio=0.98, wobble=0.004),
        entry_rows("mhc", ratio=0.99, wobble=0.05),
    )
    dar, add, mhc = (of(leaderboard, label) for label in ("dar", "add", "mhc"))
    assert dar["val_loss_p_adjusted"] == pytest.approx(2 * dar["val_loss_p"])
    assert mhc["val_loss_p_adjusted"] == pytest.approx(mhc["val_loss_p"])  # Holm's would double it
    assert add["baseline"] and add["val_loss_p"] is add["val_loss_p_adjusted"] is None
    assert (add["score"], add["val_loss_effect"], add["val_loss_low"]) == (1, 0, None)
    assert dar["score"] == 1 + dar["val_loss_effect"]


def test_one_seed_gives_an_effect_but_no_interval_and_no_tier():
    leaderboard = board(entry_rows("add", (0,)), entry_rows("dar", (0,), ratio=0.9))
    dar = of(leaderboard, "dar")
    assert dar["val_loss_effect"] == pytest.approx(-0.1)
    assert (dar["val_loss_low"], dar["val_loss_p"], dar["tier"]) == (None, None, None)
    assert dar["rank"] == 1


def test_a_missing_seed_leaves_the_entry_without_score_below_the_ranked():
    leaderboard = board(
        entry_rows("add"),
        entry_rows("dar", (0, 1), ratio=0.5),
        trial_rows(toy_trial("dar", 2), level=0.1, until=0.5),
    )
    dar = of(leaderboard, "dar")
    assert leaderboard.frame["label"].to_list() == ["add", "dar"]
    assert (dar["score"], dar["rank"], dar["tier"]) == (None, None, None)
    assert dar["mark"] == "incomplete 2/3"
    assert (dar["seeds"], dar["seeds_declared"], dar["failures"]) == (2, 3, 0)
    assert dar["val_loss"] == pytest.approx(0.5 * (seed_level(0) + seed_level(1)) / 2)
    assert dar["val_loss_n"] == 2
    assert "unfinished" in leaderboard.trials["status"].to_list()


def test_seeds_declared_in_advance_keep_a_running_board_from_ranking():
    rows = (entry_rows("add", (0,)), entry_rows("dar", (0,)))
    assert board(*rows).frame["rank"].to_list() == [1, 2]
    seeds = {toy_trial(r).config_hash: [0, 1, 2] for r in ("add", "dar")}
    early = board(*rows, declared=Declared(seeds=seeds))
    assert early.frame["rank"].to_list() == [None, None]
    assert early.frame["mark"].to_list() == ["incomplete 1/3"] * 2


def test_a_failed_seed_counts_and_is_never_averaged_over():
    crash = failed_row(toy_trial("dar", 2), "diverged", "loss is NaN at step 12", step=12)
    leaderboard = board(entry_rows("add"), entry_rows("dar", (0, 1), ratio=0.5), [crash])
    dar = of(leaderboard, "dar")
    assert (dar["score"], dar["failures"], dar["trials"]) == (None, 1, 3)
    failed = leaderboard.trials.filter(status="diverged").to_dicts()
    assert [f["error"] for f in failed] == ["loss is NaN at step 12"]


def test_a_diverged_seed_has_no_rank_and_nothing_runs_it_again():
    crash = failed_row(toy_trial("dar", 2), "diverged", "loss is NaN at step 12", step=12)
    rows = (entry_rows("add"), entry_rows("dar", (0, 1), ratio=0.5), [crash])
    seeds = {toy_trial(r).config_hash: range(5) for r in ("add", "dar")}
    assert of(board(*rows), "dar")["mark"] == "diverged 1 of 3"
    dar = of(board(*rows, declared=Declared(seeds=seeds)), "dar")
    assert (dar["mark"], dar["diverged"], dar["rank"]) == ("diverged 1 of 5", 1, None)


@pytest.mark.parametrize("status", ["diverged", "crashed", "oom", "timeout"])
def test_survivors_have_neither_interval_nor_p(status):
    """Of a failed variant, and of one whose `add` failed: it was coloured on the seeds left."""
    variant = {"ratio": 0.5, "wobble": 0.001}
    for failed in ("add", "dar"):
        crash = failed_row(toy_trial(failed, 2), status, "made up")
        pairs = {failed: (0, 1)}
        leaderboard = board(
            entry_rows("add", pairs.get("add", (0, 1, 2))),
            entry_rows("dar", pairs.get("dar", (0, 1, 2)), **variant),
            [crash],
        )
        dar = of(leaderboard, "dar")
        assert dar["val_loss_low"] is dar["val_loss_p"] is dar["val_loss_p_adjusted"] is None
        if failed == "dar":
            assert dar["val_loss_n"] == 2 and dar["rank"] is None
        else:  # no complete add: it is ranked by itself, and compared with nothing
            assert (dar["val_loss_effect"], dar["score"], dar["rank"]) == (None, 1, 1)
            assert leaderboard.reference == dar["entry"]


def test_a_seed_without_the_metric_that_ranks_is_no_seed_that_is_still_to_run():
    rows = [dict(row, rank_by="fd") for row in (*entry_rows("add"), *entry_rows("dar"))]
    for row in rows:
        row["fd"] = None if (row["routing"], row["pair_id"]) == ("dar", 1) else row["fd"]
    dar = of(board(rows), "dar")
    assert (dar["mark"], dar["rank"], dar["fd_n"], dar["fd_low"]) == (
        "no FD in 1 of 3",
        None,
        2,
        None,
    )


def test_without_add_entries_are_ranked_by_their_ratio_to_the_first():
    seeds = {toy_trial(r).config_hash: [0, 1, 2] for r in ("mhc", "dar")}
    leaderboard = board(
        entry_rows("dar", ratio=0.9), entry_rows("mhc", ratio=0.8), declared=Declared(seeds=seeds)
    )
    assert leaderboard.reference == of(leaderboard, "mhc")["entry"]
    assert leaderboard.frame["label"].to_list() == ["mhc", "dar"]
    assert leaderboard.frame["score"].to_list() == [1, pytest.approx(0.9 / 0.8)]
    assert leaderboard.frame["val_loss_effect"].to_list() == [None, None]
    assert leaderboard.frame["tier"].to_list() == [1, 2]


def test_the_order_is_that_of_effects_and_not_of_means():
    """One seed of ten times the loss decides a mean, and not the ratio over seeds."""
    levels = {"add": (1.0, 1.0, 10.0), "dar": (1.2, 1.2, 8.0)}
    rows = [
        row
        for routing, of_seeds in levels.items()
        for seed, level in enumerate(of_seeds)
        for row in trial_rows(toy_trial(routing, seed), level=level)
    ]
    leaderboard = board(rows)
    dar, add = of(leaderboard, "dar"), of(leaderboard, "add")
    assert dar["val_loss"] < add["val_loss"]
    assert dar["val_loss_effect"] == pytest.approx((1.2 * 1.2 * 0.8) ** (1 / 3) - 1)
    assert leaderboard.frame["label"].to_list() == ["add", "dar"]


def test_only_the_metric_that_ranks_is_corrected():
    variant = entry_rows("dar", ratio=0.9, wobble=0.001)
    for metric, other in (("val_loss", "fd"), ("fd", "val_loss")):
        rows = [dict(row, rank_by=metric) for row in (*entry_rows("add"), *variant)]
        dar = of(board(rows), "dar")
        assert dar[f"{metric}_p_adjusted"] < 0.05 and dar[f"{other}_p_adjusted"] is None
        assert dar[f"{other}_low"] is not None


def test_a_search_beside_a_grid_leaves_every_entry_ranked_on_its_own_seeds():
    late = (100, 101, 102)
    groups = (
        entry_rows("add", (0, 1, 2, *late)),
        entry_rows("mhc", ratio=0.97, wobble=0.001),
        entry_rows("dar", late, ratio=0.9, wobble=1e-5),
        entry_rows("unet", (7, 8), ratio=0.5, split="search"),
    )
    seeds = {toy_trial(r).config_hash: [0, 1, 2] for r in ("add", "mhc")}
    declared = Declared(seeds=seeds)
    declared = declared.extended({toy_trial(r).config_hash: late for r in ("add", "dar")})
    frame = board(*groups, declared=declared).frame
    assert frame["label"].to_list() == ["dar", "mhc", "add", "unet"]
    assert frame["rank"].to_list() == [1, 2, 3, None]
    assert frame["tier"].to_list() == [1, None, 2, None]  # mhc shares no seed with dar
    assert frame["seeds_declared"].to_list() == [3, 3, 6, 2]
    assert frame["val_loss_n"].to_list() == [3, 3, 6, None]


def test_what_is_known_from_a_search_alone_is_in_no_family():
    """The rows of a search once counted if it had drawn `add`, and not if it had not."""
    ranked = (entry_rows("add"), entry_rows("dar", ratio=0.98, wobble=0.004))
    known = (entry_rows("mhc", (7, 8), ratio=0.9, split="search"),)
    drew = (entry_rows("add", (7, 8), split="search"),)
    boards = [board(*ranked), board(*ranked, *known), board(*ranked, *known, *drew)]
    assert len({of(b, "dar")["val_loss_p_adjusted"] for b in boards}) == 1
    assert len({b.tried for b in boards}) == 1
    mhc = of(boards[-1], "mhc")
    assert mhc["val_loss_p"] is mhc["val_loss_p_adjusted"] is None and mhc["mark"] == "search only"


def test_the_family_does_not_grow_as_a_sweep_goes_on():
    done = (entry_rows("add"), entry_rows("dar", ratio=0.98, wobble=0.004))
    early = board(*done, entry_rows("mhc", (0, 1)))
    late = board(*done, entry_rows("mhc", ratio=1.0, wobble=0.05))
    assert early.tried == late.tried == 3
    assert of(early, "dar")["val_loss_p_adjusted"] == of(late, "dar")["val_loss_p_adjusted"]


def test_the_baseline_of_another_training_is_named():
    add, dar = entry_rows("add", lr=1e-3, label="slow"), entry_rows("dar")
    leaderboard = board(add, dar)
    assert of(leaderboard, "dar")["mark"] == "add has another training"
    assert of(leaderboard, "dar")["against"] == of(leaderboard, "slow")["entry"]


def test_a_trial_that_failed_first_and_went_on_has_not_failed():
    trial = toy_trial("dar", 2)
    crash = failed_row(trial, "crashed", "worker died", step=200)
    rest = [r for r in trial_rows(trial, level=seed_level(2), attempt=2) if r["step"] == 400]
    start = [r for r in trial_rows(trial, level=seed_level(2)) if r["step"] < 400]
    leaderboard = board(entry_rows("add"), entry_rows("dar", (0, 1)), start, [crash], rest)
    dar = of(leaderboard, "dar")
    assert (dar["failures"], dar["seeds"], dar["mark"]) == (0, 3, "")
    assert dar["val_loss_effect"] == pytest.approx(0, abs=1e-12)


def test_a_crashed_trial_that_is_running_again_is_unfinished():
    trial = toy_trial("dar", 2)
    crash = failed_row(trial, "crashed", "worker died", step=300)
    again = trial_rows(trial, level=seed_level(2), attempt=2, until=0.5)
    leaderboard = board(entry_rows("add"), entry_rows("dar", (0, 1)), [crash], again)
    dar = of(leaderboard, "dar")
    assert (dar["failures"], dar["mark"]) == (0, "incomplete 2/3")


def test_a_crash_before_the_budget_was_known_lands_in_its_section():
    crashes = [failed_row(toy_trial("dar", p), "oom", "out of memory") for p in range(3)]
    leaderboard = board(entry_rows("add"), crashes)
    dar = of(leaderboard, "dar")
    assert (dar["failures"], dar["val_loss"], dar["mark"]) == (3, None, "incomplete 0/3")
    alone = board(crashes)
    assert alone.budget_flops is None and alone.frame["failures"].to_list() == [3]


def test_a_crash_is_not_laid_to_another_objective():
    """Representation alignment costs FLOPs of its own, so its budget is another."""
    trial = toy_trial("dar", 0)
    aligned = replace(trial, training=replace(trial.training, objective="repa"))
    crash = failed_row(aligned, "oom", "out of memory")
    found = sections(to_frame([*entry_rows("add"), *entry_rows("dar"), crash]))
    failures = {b.budget_flops: b.frame["failures"].sum() for b in found}
    assert failures == {BUDGET: 0, None: 1}


def test_only_the_newest_source_is_ranked():
    old = entry_rows("dar", ratio=0.1, code="old", created="2031-04-01T10:00:00")
    new = entry_rows("dar", ratio=0.9, code="new", created="2031-06-01T10:00:00")
    leaderboard = board(new, entry_rows("add"), old)
    table = leaderboard.frame.select("variant_code_hash", "rank", "stale").rows()
    assert table == [("new", 1, False), ("c0", 2, False), ("old", None, True)]
    stale = leaderboard.frame.to_dicts()[-1]
    assert stale["mark"].startswith("stale")
    assert stale["val_loss_p_adjusted"] is None and leaderboard.tried == 3
    assert of(leaderboard, "dar")["versions"] == 1


def test_search_rows_are_never_mixed_with_confirmation():
    leaderboard = board(
        entry_rows("add"),
        entry_rows("add", (7,), split="search"),
        entry_rows("dar", ratio=0.9, wobble=0.001),
        entry_rows("dar", (7,), ratio=0.1, split="search"),
        entry_rows("mhc", (7,), ratio=0.8, split="search"),
    )
    dar, mhc = of(leaderboard, "dar"), of(leaderboard, "mhc")
    assert dar["val_loss_effect"] == pytest.approx(-0.1, abs=1e-5)
    assert (dar["seeds"], dar["seeds_declared"], dar["mark"]) == (3, 3, "")
    assert (mhc["rank"], mhc["score"], mhc["mark"]) == (None, None, "search only")
    assert mhc["val_loss_effect"] == pytest.approx(-0.2)  # against add's search seed
    assert leaderboard.frame["label"].to_list()[-1] == "mhc"


def test_the_baseline_has_the_same_backbone_and_prefers_the_same_training():
    leaderboard = board(
        entry_rows("add", label="tuned", lr=1e-2, ratio=0.8),
        entry_rows("add", label="plain"),
        entry_rows("add", label="deep", depth=4, ratio=0.5),
        entry_rows("dar", ratio=0.9),
        entry_rows("mhc", lr=3e-3, ratio=0.9),
        entry_rows("unet", depth=8),
    )
    assert of(leaderboard, "dar")["val_loss_effect"] == pytest.approx(-0.1)
    assert of(leaderboard, "mhc")["val_loss_effect"] == pytest.approx(0.9 / 0.8 - 1)
    assert of(leaderboard, "unet")["val_loss_effect"] is None


def test_step_time_is_compared_on_the_same_machine_only():
    leaderboard = board(
        entry_rows("add"),
        entry_rows("dar", cost=2.0),
        entry_rows("mhc", cost=3.0, hw_class="another"),
    )
    assert of(leaderboard, "dar")["step_time_ratio"] == pytest.approx(2.0)
    assert of(leaderboard, "mhc")["step_time_ratio"] is None
    assert of(leaderboard, "dar")["flops_routing_share"] == pytest.approx(0.5)


def test_step_time_is_what_other_work_does_not_lengthen_where_it_was_measured():
    def own(rows, ms):
        return [row | {"step_own_ms_p50": ms} for row in rows]

    add, dar = entry_rows("add", cost=1.5), entry_rows("dar", cost=2.0)
    assert of(board(own(add, 8.0), own(dar, 12.0)), "dar")["step_time_ratio"] == 1.5
    assert of(board(own(add, 8.0), dar), "dar")["step_time_ratio"] == pytest.approx(2.0 / 1.5)


def test_sections_by_task_protocol_and_budget_largest_first():
    rows = [
        *entry_rows("add"),
        *entry_rows("dar", budget=BUDGET / 10, lr=1e-3),
        *entry_rows("dar", budget=BUDGET * 10, lr=2e-3),
        *entry_rows("add", extractor="inception-v3-compat", lr=2e-3, budget=BUDGET * 10),
    ]
    found = sections(to_frame(rows))
    assert [b.budget_flops for b in found] == [BUDGET * 10, BUDGET * 10, BUDGET, BUDGET / 10]
    assert {b.extractor for b in found[:2]} == {"digits-cnn", "inception-v3-compat"}
    with pytest.raises(BadInput, match="4 rankings"):
        rank(to_frame(rows))
    assert sections(to_frame([])) == []


def test_the_order_of_rows_does_not_matter():
    rows = [*entry_rows("add"), *entry_rows("dar", ratio=0.9), *entry_rows("mhc", (1,))]
    forward, backward = board(rows), board(rows[::-1])
    assert forward.frame.equals(backward.frame)
    assert forward.curves.equals(backward.curves)
    assert forward.trials.equals(backward.trials)


def test_ranking_does_not_import_torch():
    code = "import sys, darbench.board.rank; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_source_that_was_gone_back_to_is_the_current_one():
    """No trial ran again, for the ledger has them; the abandoned source is the newer one."""
    groups = (
        entry_rows("add"),
        entry_rows("dar", code="before", created="2031-05-01T10:00:00"),
        entry_rows("dar", code="abandoned", ratio=0.9, created="2031-05-02T10:00:00"),
    )
    for sources, current in (({}, "abandoned"), ({"dar": "before"}, "before")):
        frame = board(*groups, declared=Declared(sources=sources)).frame
        (dar,) = frame.filter((frame["routing"] == "dar") & ~frame["stale"]).to_dicts()
        assert dar["variant_code_hash"] == current


def test_a_run_that_was_cut_off_does_not_undo_one_that_finished():
    again = trial_rows(toy_trial("add", 0), until=0.5, attempt=2)
    (add,) = board(entry_rows("add", (0,)), again).frame.to_dicts()
    assert (add["rank"], add["seeds"], add["mark"]) == (1, 1, "")


def test_the_seeds_of_another_budget_are_none_of_this_one():
    short = toy_trial("add", 0, lr=1e-3)
    seeds = {short.config_hash: [0, 1, 2], toy_trial("add").config_hash: [0]}
    longer = entry_rows("add", (0,))
    both = sections(
        to_frame([*longer, *trial_rows(short, budget=BUDGET / 4)]), Declared(seeds=seeds)
    )
    assert [b.frame["rank"].to_list() for b in both] == [[1], [None]]
