"""What a search learns from another leaderboard, and which leaderboards it refuses."""

import math
import statistics

import pytest

from darbench.errors import BadInput
from darbench.search.propose import proposer
from darbench.search.warm_start import learnt, lessons
from darbench.store import ledger
from tests.make.rows import failed_row, last_row
from tests.make.spaces import load
from tests.search.drive import STUDY, drive, searched

NUMBERS = """
variants:
  - routing: dar
    params: {lr_mult: {low: 0.1, high: 10, log: true}}
    training: {lr: {low: 1.0e-3, high: 1.0e-1, log: true}}
"""


def valley(trial) -> float:
    rates = trial.variant.params["lr_mult"], trial.training.lr / 0.01
    return 0.3 + sum(math.log10(rate) ** 2 for rate in rates)


@pytest.fixture
def elsewhere(tmp_path):
    """A finished search of the leaderboard `other`, and its rows."""
    rows = []
    drive(proposer(load(tmp_path, STUDY, "trials=30"), []), rows)
    for row in rows:
        ledger.append(tmp_path / "other" / "ledger" / "a.jsonl", row)
    return rows


def warm(folder, *overrides):
    given = ("warm_start=other", "confirm.seeds=[200,201]", *overrides)
    return load(folder, STUDY, *given)


def test_a_search_is_told_what_another_found_and_has_none_of_its_rows(tmp_path, elsewhere):
    space = warm(tmp_path, "trials=8")
    proposing = proposer(space, [], others=lessons(space, tmp_path / "mine"))
    told = [trial.value for trial in proposing._study.get_trials()]
    means = {}
    for row in elsewhere:
        if row["split"] == "search":
            means.setdefault(row["config_hash"], []).append(row["val_loss"])
    assert told == pytest.approx([statistics.fmean(own) for own in means.values()])
    rows = []
    ran = searched(drive(proposing, rows))
    assert len({t.config_hash for t in ran}) == 8 and proposing.skipped == 0
    again = proposer(space, rows, others=lessons(space, tmp_path / "mine"))
    assert drive(again, rows) == [] and again.skipped == again.total


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_one_that_has_learnt_begins_nearer_to_the_best(tmp_path, sampler):
    """The objective is lowest, 0.3, at lr_mult = 1 and lr = 0.01; a cold one draws at random."""
    rows, given = [], (f"sampler={sampler}", "seeds=[0]")
    drive(proposer(load(tmp_path, NUMBERS, *given, "trials=40"), []), rows, value=valley)
    for row in rows:
        ledger.append(tmp_path / "other" / "ledger" / "a.jsonl", row)
    medians = []
    for more in ((), ("warm_start=other", "confirm.seeds=[200]")):
        space = load(tmp_path, NUMBERS, *given, "trials=8", *more)
        proposing = proposer(space, [], others=lessons(space, tmp_path / "mine"))
        ran = searched(drive(proposing, [], value=valley))
        medians.append(statistics.median(map(valley, ran)))
    cold, taught = medians
    assert taught - 0.3 < (cold - 0.3) / 2


def test_what_failed_is_stale_or_lies_outside_teaches_nothing(tmp_path, elsewhere):
    space = warm(tmp_path)
    known = lessons(space, tmp_path / "mine")
    assert len(known) == 60
    trial = next(space.samples()).trial(5, "search")
    for row in (
        failed_row(trial, "diverged", "inf"),
        last_row(trial) | {"variant_code_hash": "older"},
        last_row(trial) | {"protocol_hash": "other"},
        last_row(trial) | {"config_hash": "of no point"},
        last_row(trial, final=False),
    ):
        ledger.append(tmp_path / "other" / "ledger" / "b.jsonl", row)
    assert lessons(space, tmp_path / "mine") == known
    first = known[0]["config_hash"]
    partly = [row | ({"val_loss": None} if row["config_hash"] == first else {}) for row in known]
    assert len([*learnt(space, partly, ["val_loss"])]) == 29


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["warm_start=nowhere"], "no leaderboard is at nowhere; name one that lies in"),
        (["warm_start=mine"], "that is this leaderboard itself"),
        (["warm_start=empty"], "no search there has finished a configuration of this space"),
        (["confirm.seeds=[0,7]", "seeds=[1]"], r"confirm.seeds: .* ran on \[0\]"),
    ],
)
def test_a_leaderboard_that_cannot_teach_is_one_line(tmp_path, elsewhere, overrides, said):
    for name in ("mine", "empty"):
        (tmp_path / name / "ledger").mkdir(parents=True)
    with pytest.raises(BadInput, match=said) as caught:
        lessons(warm(tmp_path, *overrides), tmp_path / "mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sampler", ["random", "halton"])
def test_a_sampler_that_learns_nothing_refuses_a_teacher(tmp_path, sampler):
    with pytest.raises(BadInput, match=f"sampler={sampler} learns from no result"):
        warm(tmp_path, f"sampler={sampler}")


def test_another_leaderboard_can_be_given_by_its_folder(tmp_path, elsewhere):
    space = warm(tmp_path, f"warm_start={tmp_path / 'other'}")
    assert len(lessons(space, tmp_path / "far" / "mine")) == 60
