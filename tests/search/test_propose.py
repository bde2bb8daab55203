import pytest

from darbench.records import rules
from darbench.search.propose import proposer
from darbench.store import ledger
from tests.make.rows import last_row
from tests.make.spaces import load
from tests.search.drive import GRID, STUDY, drive


def test_a_grid_runs_all_with_the_first_seed_before_the_next(tmp_path):
    space = load(tmp_path, GRID)
    proposing = proposer(space, [])
    assert (proposing.total, proposing.skipped) == (6, 0)
    ran = drive(proposing, [])
    assert [t.pair_id for t in ran] == [0, 0, 0, 1, 1, 1]
    assert {t.split for t in ran} == {"confirm"}


def test_a_grid_goes_on_where_it_was_and_tries_failures_again(tmp_path):
    space = load(tmp_path, GRID)
    rows = []
    first = drive(proposer(space, rows), rows, limit=3)
    crashed, diverged = [], []
    again = proposer(space, rows)
    assert (again.total, again.skipped) == (6, 3)
    crashed.append(again.next())
    rows.append(last_row(crashed[0], None, status="crashed"))
    diverged.append(again.next())
    rows.append(last_row(diverged[0], None, status="diverged"))
    last = drive(proposer(space, rows), rows)
    ids = [t.id for t in first + diverged + last]
    assert len(ids) == len(set(ids)) == 6
    assert crashed[0].id in {t.id for t in last}


def test_another_source_of_a_routing_is_run_anew(tmp_path):
    space = load(tmp_path, GRID)
    rows = []
    drive(proposer(space, rows), rows)
    for row in rows:
        if row["routing"] == "dar":
            row["variant_code_hash"] = "older"
    assert {t.variant.routing for t in drive(proposer(space, rows), [])} == {"dar"}


def test_a_configuration_that_stands_twice_runs_once(tmp_path):
    space = load(
        tmp_path,
        """
        seeds: [0]
        variants:
          - {routing: dar, params: {span: [4, 5]}}
          - {routing: dar, params: {span: [4, 6]}, label: other}
        """,
    )
    assert [t.variant.params["span"] for t in drive(proposer(space, []), [])] == [4, 5, 6]


def test_a_trial_is_found_again_by_its_rows(tmp_path):
    trial = next(iter(drive(proposer(load(tmp_path, GRID), []), [], limit=1)))
    assert ledger.key(trial) == ledger.row_key(last_row(trial))


@pytest.mark.parametrize("text", [GRID, STUDY])
def test_what_was_measured_under_other_rules_is_run_anew(tmp_path, monkeypatch, text):
    """Its baseline runs too, for rows of two protocols are never compared."""
    space, rows = load(tmp_path, text), []
    first = drive(proposer(space, rows), rows)
    assert drive(proposer(space, rows), []) == []
    monkeypatch.setattr(rules, "RULES", rules.RULES + 1)
    again = proposer(space, rows)
    assert {t.id for t in drive(again, [])} >= {t.id for t in first if t.split == "confirm"}
    assert again.skipped == 0


def test_what_a_search_found_does_not_stand_for_a_confirmation(tmp_path):
    """Not even of `add`, which a search cannot favour, so that its seeds may be used again."""
    rows = []
    drive(proposer(load(tmp_path, STUDY), rows), rows)
    assert {0, 1} == {row["pair_id"] for row in rows if row["routing"] == "add"} - {100, 101, 102}
    grid = proposer(load(tmp_path, "seeds: [0, 1]\nvariants: [{routing: add}]"), rows)
    assert (grid.total, grid.skipped) == (2, 0)


def test_the_seeds_that_rank_are_declared(tmp_path):
    rows = []
    assert set(map(frozenset, proposer(load(tmp_path, GRID), rows).declares.seeds.values())) == {
        frozenset({0, 1})
    }
    study = proposer(load(tmp_path, STUDY), rows)
    assert study.declares.seeds == {}
    drive(study, rows)
    assert set(map(frozenset, study.declares.seeds.values())) == {frozenset({100, 101, 102})}
