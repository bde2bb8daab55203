"""Seeds that picked a winner never rank it: refused before anything runs, and why."""

import re
from functools import partial

import numpy as np
import pytest
from scipy import stats

from darbench.analysis.effects import SIGNIFICANT
from darbench.errors import BadInput
from darbench.search.propose import proposer
from darbench.search.seeds import CONFIRM_SEEDS, GRID_SEEDS, SEARCH_SEEDS
from darbench.search.sweep import preview, sweep
from darbench.store import declared, ledger
from tests.make.rows import last_row
from tests.make.spaces import TINY, load, write
from tests.search.drive import GRID, STUDY, drive, searched

FOREIGN = "seeds: [0, 1]\nvariants: [{routing: add}, {routing: mudd}]\n"


@pytest.fixture
def rows_of(tmp_path):
    """The rows of a whole sweep of a space, after those of others."""

    def run(text: str, *overrides: str, before: list[dict] | None = None) -> list[dict]:
        rows = [*(before or [])]
        drive(proposer(load(tmp_path, text, *overrides), rows), rows)
        return rows

    return run


def refused(folder, rows, text: str, *overrides: str) -> str:
    with pytest.raises(BadInput) as error:
        proposer(load(folder, text, *overrides), rows)
    return str(error.value)


def test_no_default_is_used_for_two_purposes(tmp_path):
    defaults = [GRID_SEEDS, SEARCH_SEEDS, CONFIRM_SEEDS]
    assert len(set().union(*defaults)) == sum(map(len, defaults))
    text = "variants: [{routing: add}, {routing: dar, params: {span: [2, 4]}}]"
    assert load(tmp_path, text).seeds == GRID_SEEDS
    for sampler in ("random", "tpe"):
        space = load(tmp_path, text, f"sampler={sampler}")
        assert (space.seeds, space.confirm_seeds) == (SEARCH_SEEDS, CONFIRM_SEEDS)
    assert load(tmp_path, text, "sampler=tpe", "seeds=[7]").seeds == (7,)


def test_a_grid_on_the_seeds_of_a_search_is_refused_and_on_those_it_is_told_runs(
    tmp_path, rows_of
):
    rows = rows_of(STUDY)
    said = refused(tmp_path, rows, GRID)
    assert said == (
        "seeds: a search of these routings ran on [0, 1] in this leaderboard, and seeds that "
        "picked a winner never rank it; rank on others, seeds=[2,3]"
    )
    assert len(drive(proposer(load(tmp_path, GRID, said.split()[-1]), rows), [])) == 6


def test_one_shared_seed_is_enough(tmp_path, rows_of):
    assert "ran on [1] in" in refused(tmp_path, rows_of(STUDY), GRID, "seeds=[1,7]")


def test_a_confirmation_on_the_seeds_of_an_earlier_search_is_refused(tmp_path, rows_of):
    again = ("seeds=[0,7]", "confirm.seeds=[1,9]")
    rows = rows_of(STUDY, "seeds=[0,1]")
    said = refused(tmp_path, rows, STUDY, *again)
    assert said.startswith("confirm.seeds: a search of these routings ran on [1] in this")
    assert said.endswith("rank on others, confirm.seeds=[2,3]")
    proposer(load(tmp_path, STUDY, *again, "confirm.seeds=[2,3]"), rows)
    proposer(load(tmp_path, STUDY, *again, "confirm.top=0"), rows)  # ranks nothing


@pytest.mark.parametrize("ranked", [GRID, STUDY])
def test_a_search_on_seeds_that_rank_is_refused(tmp_path, rows_of, ranked):
    first, there = ("[0,1]", "[0, 1]") if ranked == GRID else ("[100,101]", "[100, 101]")
    rows = rows_of(ranked)
    said = refused(tmp_path, rows, STUDY, f"seeds={first}", "confirm.seeds=[3]")
    assert said.startswith(f"seeds {there} rank entries of this leaderboard already")
    told = re.search(r"search on others, (seeds=\S+),", said)[1]
    proposer(load(tmp_path, STUDY, told, "confirm.seeds=[33]"), rows)


def test_seeds_that_a_sweep_declared_and_has_not_run_yet_rank_too(tmp_path, rows_of):
    """An interrupted grid must be able to go on, whatever is tried in between."""
    grid = proposer(load(tmp_path, GRID, "seeds=[5,6,7]"), [])
    rows = []
    drive(grid, rows, limit=1)
    search = load(tmp_path, STUDY, "seeds=[7]")
    proposer(search, rows)
    with pytest.raises(BadInput, match=r"seeds \[7\] rank entries"):
        proposer(search, rows, grid.declares.seeds)


def test_what_selects_nothing_is_shared_freely(tmp_path, rows_of):
    """A sweep run again, a search extended or confirmed alike, and a grid with other variants."""
    grid = rows_of(GRID)
    assert drive(proposer(load(tmp_path, GRID), grid), []) == []
    more = GRID + "  - {routing: denseformer}\n"
    assert len(drive(proposer(load(tmp_path, more), grid), [])) == 2
    study = rows_of(STUDY)
    assert drive(proposer(load(tmp_path, STUDY), study), []) == []
    assert searched(drive(proposer(load(tmp_path, STUDY, "trials=13"), study), []))
    assert drive(proposer(load(tmp_path, STUDY, "seeds=[7]"), study), [])


def test_other_routings_and_other_tasks_may_use_the_seeds_of_a_search(tmp_path, rows_of):
    rows = rows_of(STUDY)
    assert len(drive(proposer(load(tmp_path, FOREIGN), rows), [])) == 4
    other_task = [row | {"task": "another"} for row in rows]
    assert len(drive(proposer(load(tmp_path, GRID), other_task), [])) == 6
    hashes = {row["config_hash"]: [0, 1] for row in rows_of(GRID)}
    elsewhere = [row | {"task": "another"} for row in rows_of(GRID)]
    assert drive(proposer(load(tmp_path, STUDY), elsewhere, hashes), [])


def test_the_command_refuses_before_it_runs_or_writes(tmp_path, run):
    space, out = load(tmp_path, STUDY + TINY), tmp_path / "leaderboards" / "mine"
    rows = []
    drive(proposer(space, rows), rows)
    for row in rows:
        ledger.append(out / "ledger" / "worker.jsonl", row)
    grid = write(tmp_path, GRID + TINY)
    for more in ([], ["--dry-run"]):
        code, said, complaint = run("sweep", "--space", grid, *more)
        assert (code, said) == (2, "") and "never rank it; rank on others" in complaint
    declared.write(out, declared.Declared(seeds={"of no row": [77]}))
    for call in (preview, partial(sweep, workers=1)):
        with pytest.raises(BadInput, match=r"seeds \[77\] rank entries"):
            call(grid, ["sampler=random", "seeds=[77]"], out=tmp_path / "leaderboards")
    assert ledger.read_ledger(out / "ledger") == rows


BOARDS, DEVIATION = 20_000, 0.0038  # of the difference within pairs


def noise(config: int, seed: int) -> np.ndarray:
    """Log losses of a configuration that is no better than add, one a board; add is 0.

    Trained again on the same seed it gives the same number, as a trial does.
    """
    return np.random.default_rng([config, seed]).normal(scale=DEVIATION / 2**0.5, size=BOARDS)


def false_wins(searched: list[int], ranked: list[int]) -> float:
    """The share of boards on which the best of twenty is called better than add."""
    means = [sum(noise(c, s) for s in searched) for c in range(1, 21)]
    best = np.argmin(means, axis=0)
    values = np.array([[noise(c, s) for s in ranked] for c in range(1, 21)])
    d = values[best, :, np.arange(BOARDS)].T - [noise(0, s) for s in ranked]
    return np.mean((stats.ttest_1samp(d, 0).pvalue < SIGNIFICANT) & (d.mean(axis=0) < 0))


def test_the_best_of_twenty_is_falsely_better_at_most_at_the_level(tmp_path):
    """On the seeds that picked it, it is four times as often; the command does not go there."""
    assert false_wins([0, 1, 2], [0, 1, 2]) > 0.1
    space = load(tmp_path, STUDY, "seeds=[0,1,2]", "trials=20")
    rows = [last_row(t) for t in drive(proposer(space, []), [])]
    told = refused(tmp_path, rows, GRID, "seeds=[0,1,2]").split()[-1]
    free = load(tmp_path, GRID, told)
    proposer(free, rows)
    assert len(free.seeds) == 3 and false_wins([0, 1, 2], [*free.seeds]) < 0.03
