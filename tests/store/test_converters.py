"""A ledger of an older schema is read and shown; its rows are stale, and their trials run again.

schema1.jsonl was written by darbench before schema 2: two rows of `add`, one of denseformer.
"""

import json
import shutil
from pathlib import Path

import pytest

from darbench.board.build import build
from darbench.board.rank import rank
from darbench.errors import BadInput
from darbench.records.schema import COLUMNS, SCHEMA_VERSION, is_outdated
from darbench.store import ledger
from darbench.store.converters import CONVERTERS
from darbench.store.tables import load_results, to_frame
from tests.make.rows import entry_rows

OLD = Path(__file__).parent / "schema1.jsonl"


@pytest.fixture
def folder(tmp_path):
    """A leaderboard with that ledger alone."""
    (tmp_path / "old" / "ledger").mkdir(parents=True)
    shutil.copy(OLD, tmp_path / "old" / "ledger" / "worker.jsonl")
    return tmp_path / "old"


def written() -> list[dict]:
    return [json.loads(line) for line in OLD.read_text().splitlines()]


def test_every_older_schema_has_a_converter():
    assert sorted(CONVERTERS) == list(range(1, SCHEMA_VERSION))


def test_a_row_of_schema_1_has_todays_columns_and_what_was_measured(folder):
    for row, old in zip(ledger.read_ledger(folder / "ledger"), written(), strict=True):
        assert row.keys() == COLUMNS.keys()
        moved = {name for name in row.keys() & old.keys() if row[name] != old[name]}
        assert moved == {"audit_data", "audit_noise", "audit_step"}
        assert row["schema_version"] == 1 and is_outdated(row)
        assert row["arithmetic"] is row["audit_data"] is None


def test_they_are_shown_as_stale_and_do_not_rank(folder):
    page = build("old", folder.parent).read_text(encoding="utf-8")
    assert "stale: of an older source hash" in page
    table = load_results(folder)
    assert table["val_loss"].sort().to_list() == sorted(row["val_loss"] for row in written())
    board = rank(table)
    assert len(board.rows) == 2 and all(row.stale and row.rank is None for row in board.rows)


@pytest.mark.parametrize("created", ["2021-05-01T10:00:00", "2041-05-01T10:00:00"])
def test_a_configuration_of_both_schemas_ranks_by_its_new_rows(created):
    """An older darbench may have run after the newer one."""
    old = entry_rows("dar", code="of text", ratio=0.5, created=created)
    new = entry_rows("add") + entry_rows("dar", ratio=0.9)
    board = rank(to_frame(new + [row | {"schema_version": 1} for row in old]))
    assert [(row.routing, row.variant_code_hash, row.rank, row.stale) for row in board.rows] == [
        ("dar", "c0", 1, False),
        ("add", "c0", 2, False),
        ("dar", "of text", None, True),
    ]


def test_new_rows_rank_beside_them():
    new, old = entry_rows("add"), entry_rows("dar", created="2041-05-01T10:00:00")
    board = rank(to_frame(new + [row | {"schema_version": 1} for row in old]))
    assert [(row.routing, row.stale, row.rank) for row in board.rows] == [
        ("add", False, 1),
        ("dar", True, None),
    ]


def test_a_user_is_told_how_many_rows_there_are(folder):
    rows = ledger.read_ledger(folder / "ledger")
    assert ledger.outdated(rows).startswith("3 rows are of an older schema")
    assert ledger.outdated([dict(row, schema_version=SCHEMA_VERSION) for row in rows]) == ""


@pytest.mark.parametrize("version", [0, -1, None, "1", 1.5])
def test_a_version_that_never_was_is_no_row(folder, version):
    row = written()[0] | {"schema_version": version}
    ledger.append(folder / "ledger" / "other.jsonl", row)
    with pytest.raises(BadInput, match=r"other\.jsonl:1: not a ledger row"):
        ledger.read_ledger(folder / "ledger")
