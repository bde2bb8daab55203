"""What a reader does with the ranking: sort, search, filter, pin, copy; the address holds it."""

import csv
import io
import random

import pytest

from tests.make.pages import EVIL, cells_of, headings, measured, render
from tests.make.rows import entry_rows, failed_row
from tests.make.trials import toy_trial


@pytest.fixture
def board(tmp_path):
    """Ten entries, of which the last failed: dar 2 to dar 7, then add, mhc, unet, and dar 8."""
    spans = range(2, 8)
    many = [
        entry_rows(
            "dar",
            ratio=0.9 + 0.01 * k,
            label=f"dar {k}",
            params={"span": k},
            cost=1 + 0.01 * (7 - k),
            wobble=0.001,
        )
        for k in spans
    ]
    others = [entry_rows("mhc", ratio=1.1, wobble=0.02), entry_rows("unet", ratio=1.2)]
    trial = toy_trial("dar", label="dar 8", params={"span": 8})
    render(tmp_path, *many, *measured()[:1], *others, [failed_row(trial, "oom", "9 GB")])
    return tmp_path / "index.html"


def names(page):
    return page.locator(".ranking tbody tr:visible a").all_inner_texts()


def kept(page):
    return page.locator(".kept").inner_text()


def settled(page):
    page.wait_for_timeout(150)


DARS = [f"dar {k}" for k in range(2, 8)]
ALL = [*DARS, "add", "mhc", "unet", "dar 8"]


def press(page, heading, **how):
    page.locator(".ranking .sort", has_text=heading).first.click(**how)
    settled(page)


def test_a_heading_sorts_by_the_best_the_worst_and_not_at_all(board, opened):
    with opened(board) as page:
        assert names(page) == ALL and page.locator("[aria-sort]").count() == 0
        press(page, "FLOPs beyond add")
        assert names(page)[-2:] == ["dar 2", "dar 8"]  # the dearest, and who has none
        sorts = page.locator(".ranking [aria-sort]")
        assert sorts.get_attribute("aria-sort") == "ascending" and sorts.count() == 1
        press(page, "FLOPs beyond add")
        assert names(page)[0] == "dar 2" and names(page)[-1] == "dar 8"
        assert sorts.get_attribute("aria-sort") == "descending"
        press(page, "FLOPs beyond add")
        assert names(page) == ALL and page.locator("[aria-sort]").count() == 0


def test_shift_adds_a_column_by_mouse_and_by_keyboard(board, opened):
    with opened(board) as page:
        press(page, "Tier")
        press(page, "Variant", modifiers=["Shift"])
        press(page, "Variant", modifiers=["Shift"])
        assert "s1.sort=tier,-variant" in page.url
        assert "sorted by Tier, Variant" in kept(page)
        page.locator(".sort", has_text="Seeds").focus()
        page.keyboard.press("Shift+Enter")
        settled(page)
        assert "s1.sort=tier,-variant,-seeds" in page.url
        assert page.locator("[data-column=seeds] .sort").get_attribute("data-way") == "▼3"
        page.keyboard.press("Enter")
        settled(page)
        assert "s1.sort=-seeds" in page.url and ",-seeds" not in page.url


def test_search_filters_and_changes_no_number(board, opened):
    with opened(board) as page:
        before = cells_of(page, 3)
        page.keyboard.press("/")
        page.keyboard.type("DAR 4")
        settled(page)
        assert names(page) == ["dar 4"] and kept(page) == "1 of 10 entries"
        assert cells_of(page, 3) == before and before["Variant"].startswith("3")
        page.keyboard.press("Escape")
        settled(page)
        assert names(page) == ALL
        page.keyboard.type('"span":7')  # what is in the settings is found too
        settled(page)
        assert names(page) == ["dar 7"]


def test_filters_show_what_they_say(board, opened):
    with opened(board) as page:
        shown = {}
        for kind in ("ranked", "differing", "failed", "all"):
            page.locator("[data-rank=show]").select_option(kind)
            settled(page)
            shown[kind] = names(page)
        coloured = page.locator(".ranking tr:has(.better, .worse) a").all_inner_texts()
        assert shown["ranked"] == ALL[:-1] and shown["failed"] == ["dar 8"]
        assert shown["differing"] == coloured and "add" not in coloured and len(coloured) > 2


def test_ranges_are_in_the_units_of_the_table(board, opened):
    with opened(board) as page:
        page.locator("[data-range=name]").select_option("val_loss_effect")
        page.locator("[data-range=high]").fill("-4.5")
        settled(page)
        assert names(page) == ["dar 2", "dar 3", "dar 4", "dar 5"]  # -8 % to -5 %
        page.locator("[data-range=low]").fill("-7.5")
        settled(page)
        assert names(page) == ["dar 3", "dar 4", "dar 5"]
        assert page.locator(".unrange").all_inner_texts() == [
            "Validation loss against add ≥ -7.5, ≤ -4.5 ×"
        ]
        page.locator(".unrange").click()
        settled(page)
        assert names(page) == ALL and page.locator("[data-range=low]").input_value() == ""


def test_a_range_is_typed_key_by_key_between_the_least_and_the_most(board, opened):
    with opened(board) as page:
        page.locator("[data-range=name]").select_option("val_loss_effect")
        low, high = page.locator("[data-range=low]"), page.locator("[data-range=high]")
        settled(page)
        assert [end.get_attribute("placeholder") for end in (low, high)] == ["-8.00", "20.0"]
        high.focus()
        page.keyboard.type("-6.5", delay=80)  # longer than the page takes to answer a key
        settled(page)
        assert high.input_value() == "-6.5" and names(page) == ["dar 2", "dar 3"]


def test_a_pin_keeps_the_focus_though_its_row_moves(board, opened):
    with opened(board) as page:
        page.get_by_role("button", name="Pin unet", exact=True).focus()
        page.keyboard.press("Enter")
        settled(page)
        assert names(page)[0] == "unet"
        assert page.evaluate("document.activeElement.ariaLabel") == "Pin unet"


def test_arrows_move_among_headings_entries_and_pins(board, opened):
    focused = "document.activeElement.ariaLabel || document.activeElement.textContent"
    with opened(board) as page:
        page.locator(".sort", has_text="Tier").focus()
        trail = []
        for key in (
            "ArrowRight",
            "ArrowDown",
            "ArrowRight",
            "ArrowDown",
            "End",
            "Home",
            "ArrowLeft",
        ):
            page.keyboard.press(key)
            trail.append(page.evaluate(focused))
        heading, *others = trail
        assert heading.startswith("Validation loss against add")
        assert others == ["dar 2", "Pin dar 2", "Pin dar 3", "Pin dar 8", "Pin dar 2", "dar 2"]
        page.keyboard.press("ArrowUp")
        assert page.evaluate(focused) == "Variant"
        page.keyboard.press("ArrowUp")
        assert page.evaluate(focused) == "Variant"  # there is nothing above


def test_a_link_to_an_entry_finds_it_in_another_section(board, opened):
    with opened(board) as page:
        entry = page.locator(".ranking tbody tr").nth(4).get_attribute("data-entry")
        page.evaluate("(hash) => { location.hash = hash; }", f"s7-e{entry}")
        page.locator(".entry-details[open] dl").wait_for()
        settled(page)
        assert f"at=s1-e{entry}" in page.url
        assert page.locator(f"#s1-e{entry}").evaluate("e => e.getBoundingClientRect().top") < 900


def test_six_entries_may_be_pinned_and_stand_first_whatever_is_filtered(board, opened):
    with opened(board) as page:
        for name in ("unet", "mhc", "add", "dar 7", "dar 6", "dar 5"):
            page.get_by_role("button", name=f"Pin {name}", exact=True).click()
            settled(page)
        assert page.locator(".pin[aria-pressed=true]").count() == 6
        assert page.locator(".pin:disabled").count() == 4  # a seventh is refused, and says why
        assert "6 are pinned" in page.locator(".pin:disabled").first.get_attribute("title")
        page.locator("[data-rank=find]").fill("dar 2")
        settled(page)
        assert names(page) == ["dar 5", "dar 6", "dar 7", "add", "mhc", "unet", "dar 2"]
        assert "6 of at most 6 pinned" in kept(page)
        page.get_by_role("button", name="Pin unet", exact=True).click()
        settled(page)
        assert "unet" not in names(page)


ROUND_TRIP = {
    "columns": "robustness",
    "show": "ranked",
    "find": "dar &=#% é",
    "sort": "tier,-variant",
    "ranges": "seeds:3:,val_loss_effect::-1.5",
    "axis": "samples",
    "budget": "1",
}


@pytest.mark.parametrize("field", [*ROUND_TRIP, "open", "pins", "drawn", "at"])
def test_what_is_shown_comes_back_from_the_address(board, opened, field):
    with opened(board) as page:
        entry = page.locator(".ranking tbody tr").nth(4).get_attribute("data-entry")
        of_entry = {"pins": entry, "drawn": entry, "open": f"columns,e{entry}"}
        value = (ROUND_TRIP | of_entry | {"at": f"s1-e{entry}"})[field]
        name = field if field == "at" else f"s1.{field}"
        said = {name: value} | ({"s1.open": f"e{entry}"} if field == "at" else {})
        page.evaluate("(said) => { location.hash = new URLSearchParams(said); }", said)
        page.wait_for_timeout(400)
        assert dict(page.evaluate("[...new URLSearchParams(location.hash.slice(1))]")) == said
        shown = page.evaluate(LOOK, [field, entry])
        address = page.url
        page.reload()
        page.wait_for_timeout(400)
        assert page.url == address and page.evaluate(LOOK, [field, entry]) == shown
        page.evaluate("location.hash = '#s1.find='")  # as the page comes
        page.wait_for_timeout(400)
        assert page.evaluate(LOOK, [field, entry]) != shown or field == "at"


# What a field is seen by.
LOOK = """([field, entry]) => ({
    columns: () => document.querySelectorAll(".ranking thead th:not([hidden])").length,
    show: () => document.querySelectorAll(".ranking tbody tr:not([hidden])").length,
    find: () => document.querySelectorAll(".ranking tbody tr:not([hidden])").length,
    sort: () => document.querySelectorAll("[data-way^='▲'], [data-way^='▼']").length,
    ranges: () => document.querySelectorAll(".ranking tbody tr:not([hidden])").length,
    axis: () => document.querySelector("[data-look=axis]").value,
    budget: () => document.querySelector(".budget-told").textContent,
    open: () => document.querySelectorAll("details[open]").length,
    pins: () => document.querySelector(".ranking tbody tr").dataset.entry === entry,
    drawn: () => document.querySelectorAll(".legend [aria-pressed=false]").length,
    at: () => document.getElementById(`s1-e${entry}`).getBoundingClientRect().top < innerHeight,
})[field]()"""


def test_unknown_things_in_an_address_change_nothing(board, opened):
    with opened(board) as page:
        hashes = "#s1.columns=x&s1.sort=x,-y&s1.show=x&s1.ranges=x:1:2&s1.pins=x&at=x&s9.find=x"
        page.evaluate("(hash) => { location.hash = hash; }", hashes)
        page.wait_for_timeout(300)
        assert names(page) == ALL and "Chance to be better" in headings(page)


def test_a_link_to_an_entry_keeps_what_is_chosen(board, opened):
    with opened(board) as page:
        press(page, "Variant")
        first = names(page)
        page.locator(".ranking tbody a", has_text="dar 3").click()
        page.locator(".entry-details[open] dl").wait_for()
        settled(page)
        opened_id = page.locator(".entry-details[open]").get_attribute("id")
        assert names(page) == first and f"at={opened_id}" in page.url
        assert "s1.sort=variant" in page.url


def test_the_ranking_is_copied_as_it_is_shown(board, opened):
    with opened(board, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.locator("[data-rank=find]").fill('"span":3')
        settled(page)
        copied = {}
        for kind in ("Markdown", "LaTeX", "CSV"):
            button = page.locator(f"[data-table={kind.lower()}]")
            button.click()
            page.get_by_role("button", name="Copied").wait_for()
            button.click()  # again, before it has its name back
            copied[kind] = page.evaluate("navigator.clipboard.readText()")
            page.get_by_role("button", name=kind, exact=True).wait_for()
        head, rule, row = copied["Markdown"].splitlines()
        assert head.startswith("| Variant | Tier | Validation loss against add |")
        assert "| −7.0 % \\[−7.2, −6.8\\] % |" in row and row.count("|") == rule.count("|")
        assert "$-$7.0 \\% [$-$7.2, $-$6.8] \\% &" in copied["LaTeX"]
        (entry,) = csv.DictReader(io.StringIO(copied["CSV"]))
        assert entry["variant"] == "dar 3" and "kid" not in entry
        assert float(entry["val_loss_effect"]) == pytest.approx(-0.07, abs=1e-4)


def test_the_file_holds_all_entries_and_columns(board, opened):
    with opened(board) as page:
        page.locator("[data-rank=find]").fill("dar 3")
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        text = download.value.path().read_text(encoding="utf-8")
    rows = [*csv.DictReader(io.StringIO(text))]
    assert [row["variant"] for row in rows] == ALL
    assert rows[0]["params_json"] == '{"span":2}' and rows[-1]["val_loss"] == ""
    assert {"fd_inf_se", "val_loss_low", "created"} <= {*rows[0]}


def test_names_are_escaped_in_copies(tmp_path, opened, scripts):
    evil = f"=a|b_{{}}%&\\ {EVIL}"
    render(tmp_path, entry_rows("add"), entry_rows("dar", label=evil, ratio=0.95))
    with opened(tmp_path / "index.html") as page:
        call = "rankingOf(document.querySelector('section')).then((r) => [markdownOf, latexOf, "
        call += "csvOfRanking].map((made) => made(r, [], [0])))"
        markdown, latex, table = page.evaluate(call)
    assert markdown.splitlines()[2].startswith(r"| =a\|b\_{}%&\\ \<script\>alert")
    assert r"=a|b\_\{\}\%\&\textbackslash{} $<$script$>$alert" in latex
    assert [*csv.reader(io.StringIO(table))][1] == ["'" + evil]


def test_a_name_says_nothing_to_the_row_above_it_in_latex(tmp_path, opened):
    render(tmp_path, entry_rows("add", label="[2mm]"), entry_rows("dar", label="*", ratio=0.9))
    with opened(tmp_path / "index.html") as page:
        call = "rankingOf(document.querySelector('section')).then((r) => latexOf(r, [], [0, 1]))"
        assert page.evaluate(call).splitlines()[4:6] == [r"{*} \\", r"{[}2mm] \\"]


def test_names_are_sorted_by_their_numbers(scripts):
    names = ["span 10", "Span 9", "span 2"]
    call = "(variant) => orderOf({ values: { variant }, rows: variant }, 'variant')"
    assert scripts(call, names) == [2, 1, 0]


def test_the_order_is_that_of_python(scripts):
    rng = random.Random(1)
    values = {k: [rng.choice([None, *range(4)]) for _ in range(60)] for k in "ab"}
    call = "([values, sort]) => orderOf({ values, rows: values.a }, sort)"

    def place(column, sign):
        return lambda at: (1, 0) if values[column][at] is None else (0, sign * values[column][at])

    wanted = sorted(range(60), key=lambda at: (place("a", -1)(at), place("b", 1)(at)))
    assert scripts(call, [values, "-a,b"]) == wanted
