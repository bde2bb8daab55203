"""The heat map of where routing pays: every effect against the `add` of its own ground."""

import json
from dataclasses import replace

import pytest

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.tables import to_frame
from tests.make.pages import EVIL, inert, scrolled
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial

# What dar is to the `add` of its ground; at depth 3 that `add` is half as good.
RATIOS = {(2, 3e-3): 0.9, (2, 1e-2): 1.2, (3, 3e-3): 0.95, (3, 1e-2): 1.0}


def boards(ratios=RATIOS, wobble=0.001, **of_dar):
    rows, places = [], {}
    for (depth, lr), ratio in ratios.items():
        ground = {"depth": depth, "lr": lr}
        level = depth - 1
        rows += entry_rows("add", ratio=level, **ground)
        rows += entry_rows("dar", ratio=level * ratio, wobble=wobble, **ground, **of_dar)
        for trial in (toy_trial("add", **ground), toy_trial("dar", **ground, **of_dar)):
            place = Place(point={"model.depth": depth, "training.lr": lr, "model.width": 8})
            places[trial.config_hash] = [place]
    return sections(to_frame(rows), Declared(places=places))


def page_of(tmp_path, *groups):
    all_boards = [board for group in groups for board in group]
    path = write_page("toy", all_boards, tmp_path, tmp_path / "samples")
    return path.read_text(encoding="utf-8")


def told(text, name="r1"):
    return json.loads(inert(text)[f"{name}-data"])


def test_every_effect_is_against_the_add_of_its_ground(tmp_path):
    held = told(page_of(tmp_path, boards()))
    assert held["axes"] == ["model.depth", "training.lr"]  # the width is one
    assert held["grounds"] == [["2", "0.003"], ["2", "0.01"], ["3", "0.003"], ["3", "0.01"]]
    assert [entry["title"] for entry in held["entries"]] == ["dar"]
    (cells,) = held["cells"]
    for cell, ratio in zip(cells, RATIOS.values(), strict=True):
        assert cell["effect"] == pytest.approx(ratio - 1, abs=1e-5) and cell["n"] == 3
        assert cell["low"] < ratio - 1 < cell["high"]
    assert [cell["resolved"] for cell in cells] == [True, True, True, False]


def test_what_noise_may_be_is_not_resolved_and_what_is_missing_has_no_cell(tmp_path):
    held = told(page_of(tmp_path, boards(wobble=0.3)))
    assert [cell["resolved"] for cell in held["cells"][0]] == [False] * 4
    other = boards({(2, 3e-3): 0.9, (2, 1e-2): 0.9}, label="another", params={"span": 2})
    held = told(page_of(tmp_path, [*boards(), *other]))
    assert [entry["title"] for entry in held["entries"]] == ["another", "dar"]
    assert len(held["grounds"]) == 6
    assert sum(cell is None for row in held["cells"] for cell in row) == 6


def test_a_space_of_one_ground_has_no_heat_map_and_two_tracks_have_two(tmp_path):
    one = page_of(tmp_path, boards({(2, 3e-3): 0.9}))
    assert "r1-data" not in inert(one) and "<h2>Where routing pays" not in one
    tuned = [replace(board, tuned=("training.lr",)) for board in boards()]
    both = page_of(tmp_path, boards(), tuned)
    assert "<h2>Where routing pays</h2>" in both
    assert "<h2>Where routing pays, tuned training.lr</h2>" in both
    assert [len(told(both, name)["grounds"]) for name in ("r1", "r2")] == [4, 4]


def test_the_figure_shows_arrows_a_table_and_files(tmp_path, opened):
    page_of(tmp_path, boards())
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "r1-effects")
        traces = plot.evaluate("({ data }) => data.map(({ z, text }) => ({ z, text }))")
        assert traces[1]["text"] == [["▼ −10.0", "▲ +20.0", "▼ −5.0", ""]]
        assert traces[0]["z"][0][:3] == [None] * 3 and traces[2]["text"][3] == "0.0"
        page.get_by_text(" effects are resolved").wait_for()
        written = plot.locator("text").all_text_contents()
        assert all(written.count(text) == 1 for text in ("▼ −10.0", "▲ +20.0", "▼ −5.0", "0.0"))
        assert not {"null", "%{text}"} & {*written}
        told = page.locator("#r1 .shown").inner_text()
        assert told == "1 of 1 entry; 3 of 4 effects are resolved"
        page.locator("#r1-effects-points summary").click()
        page.locator("#r1 tbody tr").first.wait_for()
        rows = [row.split("\t") for row in page.locator("#r1 tbody tr").all_inner_texts()]
        assert [row[:4] + row[-1:] for row in rows] == [
            ["dar", "2", "0.003", "−10.0 %", "better"],
            ["dar", "2", "0.01", "+20.0 %", "worse"],
            ["dar", "3", "0.003", "−5.0 %", "better"],
            ["dar", "3", "0.01", "0.0 %", "–"],
        ]
        with page.expect_download() as waiting:
            page.locator("#r1 [data-export=svg]").click()
        assert b"training.lr" in waiting.value.path().read_bytes()


def test_no_text_of_a_user_runs_in_the_heat_map(tmp_path, opened):
    text = page_of(tmp_path, boards(label=EVIL))
    assert EVIL not in text
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "r1-effects")
        assert "&lt;script" in plot.evaluate("({ data }) => data[0].y[0]")
        page.locator("#r1-effects-points summary").click()
        page.locator("#r1 tbody tr").first.wait_for()
        assert page.locator("#r1 img").count() == 0
