"""Searches of every sampler as they run: real trainings through Ray, gone on with."""

import pytest

import darbench
from darbench.store import ledger
from tests.make.spaces import TINY, write

pytestmark = pytest.mark.usefixtures("scratch")
SPACE = f"""
seeds: [0]
confirm: {{top: 1, seeds: [7]}}
variants:
  - {{routing: add}}
  - routing: dar
    params: {{lr_mult: {{low: 0.1, high: 10, log: true}}}}
    training: {{lr: {{low: 1.0e-3, high: 1.0e-1, log: true}}}}
{TINY}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        ["sampler=halton"],
        ["sampler=cmaes"],
        ["sampler=nsga2", "objectives=[val_loss,params_total]"],
    ],
)
def test_a_search_runs_confirms_and_goes_on_with_more_trials(tmp_path, given):
    space = write(tmp_path, SPACE)
    first = darbench.sweep(space, [*given, "trials=4"], out=tmp_path, workers=2)
    assert (first.failed, first.left) == (0, 0)
    before = ledger.read_ledger(first.folder / "ledger")
    more = darbench.sweep(space, [*given, "trials=6"], out=tmp_path, workers=2)
    rows = [row for row in ledger.read_ledger(first.folder / "ledger") if row["final"]]
    assert (more.failed, more.left) == (0, 0) and more.skipped >= 4
    assert {row["row_hash"] for row in before} <= {
        row["row_hash"] for row in ledger.read_ledger(first.folder / "ledger")
    }
    searched = [row["config_hash"] for row in rows if row["split"] == "search"]
    assert len(searched) == len({*searched}) == 6
    confirmed = {row["routing"] for row in rows if row["split"] == "confirm"}
    assert confirmed == {"add", "dar"}


@pytest.mark.slow
def test_a_search_learns_from_another_leaderboard_and_takes_none_of_its_rows(tmp_path, run):
    space = write(tmp_path, SPACE)
    given = ["sweep", "--space", space, "--out", str(tmp_path), "sampler=tpe", "trials=3"]
    assert run(*given, "name=first")[0] == 0
    warm = ["name=second", "warm_start=first", "confirm.seeds=[8]"]
    code, out, complaints = run(*given, *warm)
    assert (code, complaints) == (0, "") and ", 0 finished earlier" in out
    rows = ledger.read_ledger(tmp_path / "second" / "ledger")
    assert {row["leaderboard"] for row in rows} == {"second"}
    searched = {row["config_hash"] for row in rows if row["split"] == "search"}
    assert len(searched) == 3
    assert run(*given, *warm)[1].startswith("5 trials: 0 done")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["sampler=tpe", "warm_start=nowhere"], "no leaderboard is at nowhere"),
        (["sampler=cmaes", "variants=[{routing: add}]"], "the space has nothing to draw"),
        (["sampler=nsga2"], "it takes two objectives"),
        (["sampler=random", "prune.pruner=wilcoxon"], "on 1 seed it cannot come below"),
    ],
)
def test_a_mistake_is_one_message_with_exit_code_2(tmp_path, run, given, said):
    space = write(tmp_path, SPACE)
    code, out, complaints = run("sweep", "--space", space, "--out", str(tmp_path), *given)
    assert (code, out) == (2, "") and said in complaints
    assert complaints.startswith("darbench: ") and complaints.count("\n") == 1
    assert not (tmp_path / "mine" / "ledger").exists()
