"""How a search went: its order, costs and best so far; and the importances of its parameters."""

import math
from statistics import fmean

import pytest

from darbench.board.page import write_page
from darbench.board.rank import rank, sections
from darbench.board.trajectory import trajectory
from darbench.store.declared import Declared
from darbench.store.importances import Importance
from darbench.store.tables import to_frame
from tests.make.pages import EVIL, scrolled
from tests.make.rows import BUDGET, entry_rows, failed_row, seed_level, trial_rows
from tests.make.trials import toy_trial

RATIOS = {2: 1.1, 3: 0.9, 4: 1.2, 5: 0.8}  # by span, in the order in which they ended
FOUND = [
    Importance(variant="dar", trials=14, shares={"span": 0.8, "query": 0.2}, chance={"span": 0.5}),
    Importance(variant=EVIL, trials=4, shares=None, reason="4 of at least 10 finished"),
]
FOUND[0].chance["query"] = 0.6


def searched(**of_five):
    rows = [
        *entry_rows("add", (0, 1), split="search", created="2031-05-01T09:00:00"),
        failed_row(toy_trial("dar", params={"span": 9}, split="search"), "oom", "9 GB"),
        *entry_rows("add", (100, 101), created="2031-05-01T12:00:00"),
    ]
    for span, ratio in RATIOS.items():
        told = {"params": {"span": span}, "label": f"dar {span}", "ratio": ratio}
        made = f"2031-05-01T10:0{span}:00"
        rows += entry_rows("dar", (0, 1), split="search", created=made, **told | of_five)
    told = {"params": {"span": 5}, "label": "dar 5", "ratio": 0.95, "wobble": 0.002}
    return rows + entry_rows("dar", (100, 101), created="2031-05-01T12:00:00", **told | of_five)


def test_the_best_so_far_and_what_it_took():
    """By hand: the mean of two seeds, two trials of one budget each, in the order of the clock."""
    found = trajectory(rank(to_frame(searched())))
    level = fmean(seed_level(pair) for pair in (0, 1))
    values = [level * ratio for ratio in (1, *RATIOS.values())]
    assert [each.value for each in found[:-1]] == pytest.approx(values, rel=1e-6)
    assert found[-1].value is None
    best = [min(values[: k + 1]) for k in range(5)]
    assert [each.best for each in found] == pytest.approx([*best, best[-1]], rel=1e-6)
    assert [each.trials for each in found] == [2, 4, 6, 8, 10, 11]
    assert [each.flops for each in found] == pytest.approx(
        [BUDGET * k for k in (2, 4, 6, 8, 10, 10)], rel=1e-6
    )
    fresh = [each.confirmed for each in found]
    wanted = fmean(seed_level(p) * 0.95 * (1 + 0.002 * (p - 1)) for p in (100, 101))
    assert fresh[4] == pytest.approx(wanted) and fresh[0] == pytest.approx(seed_level(100.5))
    assert [each is None for each in fresh] == [False, True, True, True, False, True]


def test_what_was_pruned_cost_what_it_had_reached_and_is_marked_without_a_value():
    trial = toy_trial("dar", params={"span": 7}, split="search")
    why = "pruned by halving at 2 of 6 checkpoints"
    half = [
        *trial_rows(trial, level=0.1, until=0.5, created="2031-05-01T11:00:00"),
        failed_row(trial, "pruned", why, step=200, created="2031-05-01T11:30:00"),
    ]
    board = rank(to_frame([*searched(), *half]))
    before, found = trajectory(rank(to_frame(searched()))), trajectory(board)
    assert found[-1].value is None and found[-1].best == before[-1].best
    assert found[-1].flops == pytest.approx(before[-1].flops + BUDGET / 2, rel=1e-6)
    (row,) = [row for row in board.rows if row.entry == found[-1].entry]
    assert row.rank is None and row.mark == f"search only, {why}"
    fresh = entry_rows("dar", (100, 101), params={"span": 7}, created="2031-05-01T12:00:00")
    ranked = rank(to_frame([*searched(), *half, *fresh]))  # as `add` is that was pruned
    (row,) = [row for row in ranked.rows if row.entry == found[-1].entry]
    assert row.rank is not None and "pruned" not in row.mark


def test_a_grid_and_a_coarse_look_are_no_search():
    assert trajectory(rank(to_frame([*entry_rows("add"), *entry_rows("dar")]))) == []
    both = [
        row
        for routing in ("add", "dar")
        for pairs, split in (((0, 1, 2), "confirm"), ((50, 51), "search"))
        for row in entry_rows(routing, pairs, split=split)
    ]
    assert trajectory(rank(to_frame(both))) == []


def page_of(tmp_path, rows, importances):
    path = write_page(
        "toy",
        sections(to_frame(rows), Declared()),
        tmp_path,
        tmp_path / "samples",
        importances=importances,
    )
    return path.read_text(encoding="utf-8")


def test_the_search_is_drawn_over_trials_and_over_flops(tmp_path, opened):
    page_of(tmp_path, searched(), {"{}": FOUND})
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "s1-trajectory")
        traces = "({ data }) => data.map(({ x, y }) => [x, y])"
        best, values, fresh = plot.evaluate(traces)
        assert best[0] == [2, 4, 6, 8, 10, 11] and values[0] == [2, 4, 6, 8, 10]
        assert best[1] == sorted(best[1], reverse=True) and fresh[0] == [2, 10]
        told = page.locator("figure:has(#s1-trajectory) .shown")
        assert told.inner_text() == "6 of 6 entries; 2 ran on fresh seeds"
        page.locator("[data-choice=spent]").select_option("flops")
        page.wait_for_timeout(400)
        assert plot.evaluate(traces)[0][0][0] == pytest.approx(2 * BUDGET)
        assert "s1.choices=spent:flops" in page.url
        page.locator("[data-rank=find]").fill('"span":5')
        page.get_by_text("1 of 6 entries; 1 ran on fresh seeds").wait_for()
        page.locator("figure:has(#s1-trajectory) summary").click()
        rows = page.locator("figure:has(#s1-trajectory) tbody tr")
        rows.first.wait_for()
        (row,) = [text.split("\t") for text in rows.all_inner_texts()]
        assert row[:2] == ["dar 5", "10"] and math.isclose(float(row[4]), 0.84, abs_tol=0.001)


def test_importances_are_bars_beside_chance_with_what_they_come_from(tmp_path, opened):
    text = page_of(tmp_path, searched(label=EVIL), {"{}": FOUND, '{"task":"other"}': FOUND})
    assert EVIL not in text
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "s1-importances")
        bars, chance = plot.evaluate("({ data }) => data.map(({ x, y }) => [x, y])")
        assert bars == [pytest.approx([80, 20]), ["dar: span", "dar: query"]]
        assert chance[0] == pytest.approx([50, 60])
        told = page.locator("figure:has(#s1-importances) .shown").inner_text()
        assert told == f"dar: from 14 configurations; {EVIL}: 4 of at least 10 finished"
        page.locator("figure:has(#s1-importances) summary").click()
        row = page.locator("figure:has(#s1-importances) tbody tr").first
        row.wait_for()
        assert row.inner_text().split("\t") == ["dar", "span", "80 %", "50 %", "14"]
        scrolled(page, "s1-trajectory")
        assert page.locator("#s1 img").count() == 0


def test_where_nothing_was_searched_there_is_no_search(tmp_path):
    text = page_of(tmp_path, [*entry_rows("add"), *entry_rows("dar")], {})
    assert "-trajectory" not in text and "s1-importances" not in text
    only = page_of(tmp_path, searched(), {'{"task":"other"}': FOUND})
    assert "s1-trajectory" in only and 'id="s1-importances"' not in only
