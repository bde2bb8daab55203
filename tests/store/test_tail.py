from darbench.store import ledger
from darbench.store.tail import Tail
from tests.make.folders import ledger_row


def test_each_row_is_yielded_once_whoever_wrote_it(tmp_path):
    tail = Tail(tmp_path)
    assert [*tail.rows()] == []
    for file in ("b.jsonl", "a.jsonl", "b.jsonl"):
        ledger.append(tmp_path / file, ledger_row(file[0]))
    assert [row["trial_id"] for row in tail.rows()] == ["a", "b", "b"]
    assert [*tail.rows()] == []
    ledger.append(tmp_path / "a.jsonl", ledger_row("c"))
    assert [row["trial_id"] for row in tail.rows()] == ["c"]
    assert [row["trial_id"] for row in Tail(tmp_path).rows()] == ["a", "c", "b", "b"]
