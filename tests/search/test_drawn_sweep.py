"""Searches of every sampler as they run: real trainings through Ray, gone on with."""

import pytest

import darbench
from darbench.store import ledger
from tests.make.spaces import TINY, write

pytestmark = [pytest.mark.usefixtures("scratch"), pytest.mark.slow]
SPACE = f"""
seeds: [0]
confirm: {{top: 1, seeds: [7]}}
variants:
  - {{routing: add}}
  - routing: dar
    params: {{lr_mult: {{low: 0.1, high: 10, log: true}}}}
    training: {{lr: {{low: 1.0e-3, high: 1.0e-1, log: true}}}}
{TINY}"""


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
