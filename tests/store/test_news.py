import pytest

from darbench.errors import BadInput
from darbench.store import ledger
from darbench.store.news import News
from tests.make.folders import ledger_row


def append(folder, file, trial, **more):
    ledger.append(folder / file, ledger_row(trial, **more))


def ends(news):
    news.look()
    return {key[0]: (row["status"], row["attempt"]) for key, row in news.last.items()}


def test_each_look_reads_what_others_have_added(tmp_path):
    news = News(tmp_path)
    assert ends(news) == {}
    append(tmp_path, "a.jsonl", "t0", final=False)
    assert ends(news) == {} and news.attempts == {"t0": 1}
    append(tmp_path, "a.jsonl", "t0", attempt=2)
    append(tmp_path, "b.jsonl", "t1", status="crashed")
    assert ends(news) == {"t0": ("ok", 2), "t1": ("crashed", 1)}
    assert news.attempts == {"t0": 2, "t1": 1}
    assert ends(news) == ends(News(tmp_path))


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    append(tmp_path, "a.jsonl", "t0")
    append(tmp_path, "a.jsonl", "t1")
    path, news = tmp_path / "a.jsonl", News(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-9])
    assert ends(news) == {"t0": ("ok", 1)}
    path.write_bytes(data)
    assert ends(news) == {"t0": ("ok", 1), "t1": ("ok", 1)}


def test_a_failure_does_not_stand_over_what_finished(tmp_path):
    news = News(tmp_path)
    append(tmp_path, "b.jsonl", "t0", attempt=2)
    assert ends(news) == {"t0": ("ok", 2)}
    append(tmp_path, "c.jsonl", "t0", attempt=3, status="crashed")
    assert ends(news) == {"t0": ("ok", 2)} and news.attempts == {"t0": 3}


def test_a_line_that_is_no_row_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(BadInput, match=r"a\.jsonl:1: not a ledger row"):
        News(tmp_path).look()
