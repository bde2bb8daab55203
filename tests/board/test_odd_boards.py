"""Boards with nothing, too little or very much on them open, say what they are, and fit."""

import pytest

from tests.make.pages import render, scrolled, sweep_rows
from tests.make.rows import entry_rows, failed_row
from tests.make.trials import toy_trial

LONG = "a label that says at length what its variant does, and then a_word_of_its_own_" + 9 * "x"


def failed(routing, status):
    return [failed_row(toy_trial(routing, pair), status, "made up") for pair in range(3)]


def stale(routing):
    old = entry_rows(routing, code="old", created="2031-04-01T10:00:00", ratio=0.9)
    return [row | {"schema_version": 1} for row in old]  # of an older form of hash


BOARDS = {
    "empty": [],
    "one entry": [entry_rows("add")],
    "one seed": [entry_rows("add", (0,)), entry_rows("dar", (0,), ratio=0.9)],
    "all failed": [failed("add", "diverged"), failed("dar", "oom"), failed("mhc", "crashed")],
    "all stale": [stale("add"), stale("dar")],
    "two hundred labels": [entry_rows("add")]
    + [
        entry_rows("dar", label=f"{i} {LONG if i % 9 == 0 else 'dar'}", params={"span": i})
        for i in range(200)
    ],
}
SAYS = {
    "empty": "No trial has reported yet",
    "one entry": "baseline",
    "one seed": "one seed, no interval",
    "all failed": "Nothing is ranked yet",
    "all stale": "stale",
    "two hundred labels": "201 entries, 201 ranked",
}
WITHOUT_FIGURES = ("empty", "all failed", "all stale")
OVER = "document.documentElement.scrollWidth - innerWidth"


@pytest.mark.parametrize("name", BOARDS)
def test_an_odd_board_opens_and_fits(name, tmp_path, opened):
    """The `opened` page tells of any error, as its figures are drawn and its folds opened too."""
    state = {} if BOARDS[name] else {"in_progress": "0 of 36 trials"}
    render(tmp_path, *BOARDS[name], **state)
    for width in (1280, 360):
        with opened(tmp_path / "index.html", viewport={"width": width, "height": 900}) as page:
            assert SAYS[name] in page.locator("body").inner_text()
            assert page.evaluate(OVER) <= 0
            figures = page.locator("section .plot")
            assert (figures.count() == 0) == (name in WITHOUT_FIGURES)
            for figure in figures.all() if width == 1280 else ():
                scrolled(page, figure.get_attribute("id"))
            folds = page.locator("details")
            for i in range(min(folds.count(), 12)):
                folds.nth(i).evaluate("each => { each.open = true }")
            page.wait_for_timeout(200)
            assert page.evaluate(OVER) <= 0


def test_a_page_prints_its_table_whole_and_no_button(tmp_path, opened):
    render(tmp_path, *BOARDS["one seed"], in_progress="1 of 36 trials")
    sheet = {"width": 718, "height": 1000}  # of A4, within its margins
    with opened(tmp_path / "index.html", viewport=sheet) as page:
        page.emulate_media(media="print")
        assert page.evaluate(OVER) <= 0
        wide = "(each) => each.scrollWidth - each.parentElement.clientWidth"
        assert page.locator("table.board").first.evaluate(wide) <= 0
        # A heading that sorts is printed as a heading.
        assert page.locator("button:not(.sort):visible, select:visible").count() == 0
        assert page.locator("thead .sort", has_text="Tier").first.is_visible()


def test_a_dark_page_prints_on_white(tmp_path, opened):
    render(tmp_path, *sweep_rows())
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(tmp_path / "index.html", color_scheme="dark") as page:
        assert page.evaluate(ground) == "rgb(21, 24, 27)"
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(ground) == "rgb(252, 252, 251)"
