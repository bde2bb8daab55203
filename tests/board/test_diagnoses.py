"""The pictures of diagnoses on a board: whose they are, in which room, and what stands without."""

import re

import polars as pl

from darbench.board import diagnoses
from darbench.store.diagnostics import NAME, SCHEMA, write_diagnostics
from tests.make.diagnoses import TIMES, diagnosis_rows, value
from tests.make.pages import EVIL, inert, render, scrolled
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial

COMMAND = "darbench diagnose --space toy"


def diagnosed(folder, *trials):
    for trial, seed, soft in trials:
        rows = [
            {k: v for k, v in row.items() if k != "trial"}
            for row in diagnosis_rows(trial.id, seed, softmax=soft)
        ]
        write_diagnostics(folder, trial.id, rows)


def board(folder, label="dar", **more):
    """A board of add, dar and mhc; two seeds of add and one of dar were diagnosed."""
    dar = {"params": {"span": 4}, "label": label}
    diagnosed(folder, (toy_trial("add", 0), 0, False), (toy_trial("add", 1), 1, False))
    diagnosed(folder, (toy_trial("dar", 2, **dar), 2, True))
    rows = entry_rows("add"), entry_rows("dar", ratio=0.95, **dar), entry_rows("mhc", ratio=1.1)
    return render(folder, *rows, **more)


def test_entries_that_were_diagnosed_have_pictures_and_add_is_first(tmp_path, opened):
    text = board(tmp_path)
    assert COMMAND not in text and "What the routings do on" in text
    with opened(tmp_path / "index.html") as page:
        assert page.locator("#ds1 .legend button").all_inner_texts() == ["add", "dar"]
        plot = scrolled(page, "ds1-magnitude")
        page.locator("#ds1-magnitude ~ .shown", has_text="2 of 2 entries; t = 0.5").wait_for()
        y = plot.evaluate("({ data }) => data.find(({ name }) => name === 'dar').y")
        known = [value("rms_z", 0.5, k, 0, 2) for k in range(3)]
        assert all(abs(a / b - 1) < 1e-4 for a, b in zip(y, known, strict=True))
        matrix = scrolled(page, "ds1-matrix")
        assert matrix.evaluate("({ data }) => data.length") == 5  # every other time
        page.locator(".legend button", has_text="dar").last.click()
        page.locator("#ds1-magnitude ~ .shown", has_text="1 of 2 entries").wait_for()
        assert "2 of 3" not in page.locator("#s1-val_loss ~ .shown").inner_text()


def test_what_is_chosen_of_pictures_is_in_the_address(tmp_path, opened):
    board(tmp_path)
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "ds1-magnitude")
        page.locator("[data-diagnosis=time]").fill("1")
        page.locator("[data-diagnosis=of]").select_option(label="add")
        page.locator("[data-diagnosis=shares]").select_option("softmax")
        page.wait_for_timeout(150)
        assert "ds1.time=1" in page.url and "ds1.shares=softmax" in page.url
        page.reload()
        plot = scrolled(page, "ds1-magnitude")
        page.locator("#ds1-magnitude ~ .shown", has_text=f"t = {TIMES[1]:g}").wait_for()
        assert plot.evaluate("({ data }) => data.length") == 3  # two lines and the band of add
        matrix = page.locator("#ds1-matrix ~ .shown")
        scrolled(page, "ds1-matrix")
        matrix.get_by_text("; add, mean over 2 seeds").wait_for()
        page.locator("[data-diagnosis=time]").fill("4")
        page.locator("[data-diagnosis=shares]").select_option("routing")
        page.wait_for_timeout(150)
        assert "ds1.time" not in page.url and "ds1.shares" not in page.url


def test_a_page_without_room_names_those_whose_pictures_lie_beside_it(tmp_path, monkeypatch):
    whole = inert(board(tmp_path))
    assert {"ds1-data", "ds1-p0", "ds1-p1"} <= {*whole}
    (first,) = re.findall(r'id="ds1-p0">(.*?)<', (tmp_path / "index.html").read_text())
    monkeypatch.setattr(diagnoses, "ROOM", len(first))
    text = board(tmp_path)
    assert "ds1-p0" in inert(text) and "ds1-p1" not in inert(text)
    assert "Here are the 1 leading entries; the pictures of the other 1 lie beside" in text
    assert "<code>diagnosis.html</code>: dar." in text


def test_without_diagnoses_stands_the_command_that_makes_them(tmp_path):
    text = render(tmp_path, entry_rows("add"))
    assert COMMAND in text and "training.keep_weights=last" in text and "ds1-data" not in text
    assert COMMAND not in render(tmp_path / "empty", in_progress="0 of 3 trials")


def test_a_table_that_nobody_can_read_breaks_no_page(tmp_path):
    (tmp_path / NAME).write_text("no table")
    text = render(tmp_path, entry_rows("add"))
    assert "no Parquet file" in text and str(tmp_path) not in text
    pl.DataFrame({"trial": ["a"]}).write_parquet(tmp_path / NAME)
    assert "not a table of diagnoses" in render(tmp_path, entry_rows("add"))
    pl.DataFrame(schema=SCHEMA).write_parquet(tmp_path / NAME)
    assert COMMAND in render(tmp_path, entry_rows("add"))


def test_no_label_runs_in_pictures(tmp_path, opened):
    assert EVIL not in board(tmp_path, label=EVIL)
    with opened(tmp_path / "index.html") as page:
        for plot in page.locator("#ds1 .plot").all():
            scrolled(page, plot.get_attribute("id"))
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        page.locator("#ds1-magnitude ~ .twin tbody tr").first.wait_for()
        assert page.locator("img").count() == 0
