"""Two entries against each other: effects as Python's, and what differs between them."""

import difflib
import itertools
import random

import polars as pl
import pytest
from PIL import Image

from darbench.analysis.comparison import judged_effect
from darbench.board.data import data
from darbench.board.entry_view import names_of
from darbench.board.rank import rank
from darbench.store.declared import Declared
from darbench.store.sources import Source, keep
from darbench.store.tables import to_frame
from tests.make.close import close
from tests.make.pages import render, sweep_rows
from tests.make.rows import entry_rows

ADD = Source(files={"add.py": "def read(state):\n    return state\n", "base.py": "A = 1\n"})
DAR = Source(
    files={"dar.py": "def read(state):\n    return 2 * state\n", "base.py": "A = 1\n"},
    bibtex="@misc{dar}",
)

PARTS = {"mean": "mean", "low": "low", "high": "high", "n": "n", "p_value": "p"}


@pytest.fixture
def board(tmp_path):
    """Three entries whose code is kept but for one, all with pictures."""
    add, dar = entry_rows("add", code="ad01"), entry_rows("dar", ratio=0.95, code="da01")
    other = entry_rows("unet", ratio=1.1, wobble=0.01, code="ee01", threads=2)
    keep(tmp_path, "ad01", lambda: ADD)
    keep(tmp_path, "da01", lambda: DAR)
    (tmp_path / "samples").mkdir()
    for shade, rows in enumerate((add, dar, other)):
        picture = Image.new("L", (8, 8), 100 * shade)
        picture.save(tmp_path / "samples" / f"{rows[0]['trial_id']}.png")
    render(tmp_path, add, dar, other)
    return tmp_path / "index.html"


def compared(page, one, other):
    if not page.locator(".compare[open]").count():
        page.locator(".compare > summary").click()
    for at, title in enumerate((one, other)):
        page.locator("[data-versus]").nth(at).select_option(label=title)
    page.locator(".comparison h4", has_text=f"{one} against {other}").wait_for()
    return page.locator(".comparison")


def test_effects_of_any_pair_at_any_budget_are_pythons(scripts):
    rng = random.Random(4)
    names = ["add", "dar", "mhc", "unet"]
    groups = [
        entry_rows(name, ratio=rng.uniform(0.8, 1.2), wobble=rng.uniform(0, 0.1), pairs=pairs)
        for name, pairs in zip(names, [(0, 1, 2, 3), (0, 1, 2, 3), (1, 2), (0, 1, 2)], strict=True)
    ]
    rows = [r | {"val_loss": r["val_loss"] * rng.uniform(0.9, 1.1)} for g in groups for r in g]
    frame = to_frame(rows)
    whole = rank(frame, Declared())
    held = data(whole, names_of(whole.rows))
    call = (
        "([text, numbers, one, two]) => pairEffects(filled(JSON.parse(text), numbers), one, two)"
    )
    count = 0
    for one, other in itertools.permutations([e.name for e in whole.entries], 2):
        for found in scripts(call, [held.text, held.numbers, one, other]):
            budget = pl.lit(found["budget"], pl.Float64)
            entries = {
                e.name: e
                for e in rank(frame.with_columns(budget_flops=budget), Declared()).entries
            }
            for metric in ("val_loss", "fd"):
                ours = judged_effect(entries[one], entries[other], metric)
                theirs = found["effects"][metric]
                assert (ours is None) == (theirs is None)
                for name, part in PARTS.items() if ours else ():
                    assert close(getattr(ours, name), theirs[part]), (one, other, metric, part)
                    count += 1
    assert count > 200


def applied(before, lines):
    """What a whole difference makes of the text before; AssertionError if it is not of it."""
    assert [line for sign, line in lines if sign != "+"] == before
    return [line for sign, line in lines if sign != "-"]


@pytest.mark.parametrize("seed", range(8))
def test_a_difference_leads_from_one_text_to_the_other(scripts, seed):
    rng = random.Random(seed)
    one, other = ([rng.choice("abcde") for _ in range(rng.randint(1, 40))] for _ in range(2))
    lines = scripts("([a, b]) => lineDifference(a, b)", ["\n".join(one), "\n".join(other)])
    assert applied(one, lines) == other
    theirs = [line for line in difflib.ndiff(one, other) if line[0] in "+-"]
    assert sum(sign != " " for sign, _ in lines) <= len(theirs)


def test_a_unified_difference_is_that_of_difflib(scripts):
    one = [f"line {k}" for k in range(40)]
    other = [*one[:5], "new", *one[5:20], *one[22:39], "last"]
    found = scripts("([a, b]) => unified(a, b)", ["\n".join(one), "\n".join(other)])
    wanted = [*difflib.unified_diff(one, other, lineterm="")][2:]
    assert [line for _, line in found] == wanted
    assert scripts("unified('a\\nb\\n', 'a\\nb\\n')") == []


def test_an_entry_shows_its_code_and_how_it_is_cited(board, opened):
    with opened(board, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.locator(".ranking a", has_text="dar").click()
        entry = page.locator(".entry-details[open]")
        entry.locator(".file summary", has_text="dar.py").click()
        assert "return 2 * state" in entry.inner_text()
        entry.locator("h4:has-text('Cite it') + .copyable button").click()
        entry.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "@misc{dar}"
        page.locator(".ranking a", has_text="unet").click()
        page.get_by_text("The code of this source was not kept").wait_for()


def test_two_entries_are_compared(board, opened):
    with opened(board) as page:
        shown = compared(page, "dar", "add")
        text = shown.inner_text()
        assert "−5.0 % [−5.0, −5.0] %, n = 3" in text and "threads" not in text
        shown.locator(".file summary").click()
        assert shown.locator("del").all_inner_texts() == ["-    return state\n"]
        assert shown.locator("ins").all_inner_texts() == ["+    return 2 * state\n"]
        shown = compared(page, "unet", "add")
        page.get_by_text("The code of one of the two was not kept").wait_for()
        assert shown.locator("[aria-label=Environment] tr", has_text="threads").count() == 1
        assert shown.locator("[aria-label=Configuration] tbody tr").count() == 1


def test_samples_have_a_slider_between_them(board, opened):
    with opened(board) as page:
        shown = compared(page, "dar", "add")
        slider = shown.get_by_role("slider")
        slider.focus()
        page.keyboard.press("Home")
        seen = "e => getComputedStyle(e.querySelector('img')).clipPath"
        assert shown.locator(".swipe").evaluate(seen) == "inset(0px 100% 0px 0px)"
        page.keyboard.press("End")
        assert shown.locator(".swipe").evaluate(seen) == "inset(0px 0% 0px 0px)"


def test_the_pair_is_in_the_address_and_pins_choose_it(board, opened):
    with opened(board) as page:
        for name in ("unet", "dar"):
            page.get_by_role("button", name=f"Pin {name}", exact=True).click()
            page.wait_for_timeout(100)
        page.locator(".compare > summary").click()
        page.locator(".comparison h4", has_text="unet against dar").wait_for()
        compared(page, "add", "unet")
        page.wait_for_timeout(100)
        page.reload()
        page.locator(".comparison h4", has_text="add against unet").wait_for()
        page.locator(".ranking a", has_text="dar").click()
        page.locator(".entry-details[open] [data-compare]").click()
        page.locator(".comparison h4", has_text="dar against unet").wait_for()


def test_nothing_is_compared_where_there_is_one_entry(tmp_path):
    assert 'class="compare"' not in render(tmp_path, sweep_rows()[0])
