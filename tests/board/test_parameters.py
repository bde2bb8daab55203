"""What entries vary: columns of the ranking, their levels, and the heat map over two of them."""

import json
import math
import random
from collections import defaultdict
from statistics import fmean

import pytest

from darbench.board.parameters import chosen
from darbench.board.rank import rank
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.pages import DARS, EVIL, cells_of, headings, inert, render, scrolled, varied
from tests.make.rows import entry_rows
from tests.make.trials import toy_trial


def board_of(*groups, declared=None):
    rows = (row for group in groups for row in group)
    return rank(to_frame(rows), declared or Declared())


def test_what_varies_is_a_column_of_the_frame_in_the_order_of_families():
    board = board_of(*varied())
    titles = ["routing", "dar.query", "dar.span", "hyper.streams", "training.lr"]
    assert [p.title for p in board.parameters] == titles
    for row, own in zip(board.rows, board.frame_with_parameters.to_dicts(), strict=True):
        params, training = json.loads(row.params_json), json.loads(row.config_json)["training"]
        assert own["training.lr"] == training["lr"]
        assert own["dar.span"] == (params.get("span") if row.routing == "dar" else None)


def test_levels_are_the_values_in_order_and_ranges_where_they_are_many():
    few = board_of(*varied()).parameters[2]
    assert few.levels == ("2", "4", "8")
    assert [few.levels[at] for at in few.at if at is not None] == [
        str(value) for value in few.values if value is not None
    ]
    rates = [random.Random(k).uniform(1e-4, 1e-2) for k in range(30)]
    many = board_of(
        entry_rows("add"), *(entry_rows("dar", params={"rate": rate}) for rate in rates)
    ).parameters[1]
    assert len(many.levels) == 6 and len({many.at.count(k) for k in range(6)}) == 1
    for value, at in zip(many.values, many.at, strict=True):
        if value is not None:
            low, high = map(float, many.levels[at].split(" to "))
            assert low * 0.9999 <= value <= high * 1.0001


def test_texts_truths_and_numbers_that_are_mixed_are_texts():
    mixed = [entry_rows("dar", params={"how": how}) for how in (True, 3, "x")]
    assert board_of(entry_rows("add"), *mixed).parameters[1].levels == ("3", "true", "x")


@pytest.mark.parametrize(
    "others",
    [
        [entry_rows("dar"), entry_rows("mhc")],
        [entry_rows("add", lr=3e-3), entry_rows("dar")],
        [entry_rows("dar"), entry_rows("dar", code="old", created="2031-04-01", lr=3e-3)],
    ],
    ids=["routings alone", "only the rate of add", "one that is stale"],
)
def test_nothing_varies_where_only_routings_do(others, tmp_path):
    assert board_of(entry_rows("add"), *others).parameters == ()
    text = render(tmp_path, entry_rows("add"), *others)
    assert "s1-parallel" not in text and "s1-cells" not in text


def test_a_control_varies_nothing():
    trial = toy_trial("add", model={"skip": "time"})
    rows = [entry_rows("add"), entry_rows("dar"), entry_rows("add", model={"skip": "time"})]
    assert board_of(*rows, declared=Declared(controls={trial.config_hash: ""})).parameters == ()


def test_the_heat_map_shows_the_two_that_fill_most_cells():
    parameters = board_of(*varied()).parameters
    assert [parameters[k].title for k in chosen(parameters)] == ["dar.span", "training.lr"]
    one = board_of(entry_rows("add"), *(entry_rows("dar", params={"a": k}) for k in (1, 2)))
    assert [one.parameters[k].title for k in chosen(one.parameters)] == ["routing", "dar.a"]


def test_the_preset_shows_what_varies(tmp_path, opened):
    render(tmp_path, *varied())
    with opened(tmp_path / "index.html") as page:
        page.locator("[data-rank=columns]").select_option("parameters")
        page.locator("th", has_text="dar.query").wait_for()
        assert headings(page)[-4:] == ["dar.query", "dar.span", "hyper.streams", "training.lr"]
        assert cells_of(page, 1)["dar.query"] == "dynamic"


def averages(fixed=lambda key: True):
    """Query, span -> the average effect in percent and of how many, by Python."""
    found = defaultdict(list)
    for (span, query, lr), ratio in DARS.items():
        if fixed((span, query, lr)):
            found[query, span].append(math.log(ratio))
    return {cell: (100 * math.expm1(fmean(logs)), len(logs)) for cell, logs in found.items()}


def told_cells(page):
    call = "({ data }) => [data[0].x, data[0].y, data[0].z, data[0].text, data[1].text.length]"
    return page.locator("#s1-cells").evaluate(call)


def crossed(page):
    """The heat map of query across and span down."""
    page.locator("[data-choice=x]").select_option("dar.query")
    page.locator("[data-choice=y]").select_option("dar.span")
    return scrolled(page, "s1-cells")


def shown(page, name="cells"):
    return page.locator(f"figure:has(#s1-{name}) .shown").inner_text()


def test_the_heat_map_averages_what_is_not_fixed_and_says_so(tmp_path, opened):
    render(tmp_path, *varied())
    with opened(tmp_path / "index.html") as page:
        crossed(page)
        x, y, z, text, empty = told_cells(page)
        assert (x, y, empty) == (["dynamic", "static"], ["2", "4", "8"], 1)
        wanted = averages()
        for i, span in enumerate((2, 4, 8)):
            for j, query in enumerate(x):
                if (query, span) in wanted:
                    mean, n = wanted[query, span]
                    assert 100 * z[i][j] == pytest.approx(mean, rel=1e-9)
                    assert text[i][j] == f"{mean:+.1f} ({n})".replace("-", "−")
                else:
                    assert (z[i][j], text[i][j]) == (None, "")
        assert shown(page) == (
            "10 of 14 entries; averaged over training.lr; 5 of 6 cells have an entry"
        )
        assert page.locator("#s1-cells text", has_text="no entry").count() == 1


def test_a_parameter_can_be_fixed_or_shown_and_the_address_holds_it(tmp_path, opened):
    render(tmp_path, *varied())
    with opened(tmp_path / "index.html") as page:
        crossed(page)
        assert not page.locator("[data-choice='dar.span']").is_visible()
        page.locator("[data-choice='training.lr']").select_option(label="0.003")
        page.get_by_text("5 of 14 entries; training.lr 0.003").wait_for()
        wanted = averages(lambda key: key[2] == 3e-3)
        assert 100 * told_cells(page)[2][0][1] == pytest.approx(wanted["static", 2][0], rel=1e-9)
        page.locator("[data-choice=x]").select_option("routing")
        page.get_by_text(
            "5 of 14 entries; averaged over dar.query; training.lr 0.003; 3 of 9 cells"
        ).wait_for()
        page.wait_for_timeout(200)
        url = page.url
        assert "s1.choices=x:routing,y:dar.span,training.lr:0.003" in url
    with opened(tmp_path / "index.html") as page:
        page.wait_for_timeout(150)
        page.goto(url)
        scrolled(page, "s1-cells")
        page.get_by_text(
            "5 of 14 entries; averaged over dar.query; training.lr 0.003; 3 of 9 cells"
        ).wait_for()
        assert page.locator("[data-choice='dar.query']").is_visible()
        page.locator("[data-choice=x]").select_option("hyper.streams")
        page.get_by_text("0 of 14 entries; training.lr 0.003; 0 of 6 cells").wait_for()
        assert page.locator("#s1-cells .main-svg").count() == 0


def test_the_heat_map_follows_the_budget_and_the_ranking(tmp_path, opened):
    render(tmp_path, *varied())
    with opened(tmp_path / "index.html") as page:
        crossed(page)
        page.locator("[data-rank=find]").fill('"span":2')
        page.get_by_text("4 of 14 entries; averaged over training.lr; 2 of 6 cells").wait_for()
        page.locator("figure:has(#s1-cells) summary").click()
        rows = page.locator("figure:has(#s1-cells) tbody tr")
        rows.first.wait_for()
        assert [row.split("\t")[:3] for row in rows.all_inner_texts()][:3] == [
            ["2", "dynamic", f"{averages()['dynamic', 2][0]:+.1f} %".replace("-", "−")],
            ["2", "static", f"{averages()['static', 2][0]:+.1f} %".replace("-", "−")],
            ["4", "dynamic", "no entry"],
        ]
        for kind in ("png", "svg", "csv"):
            with page.expect_download() as waiting:
                page.locator(f"figure:has(#s1-cells) [data-export={kind}]").click()
            assert waiting.value.path().stat().st_size > 100


def test_no_text_of_a_parameter_runs(tmp_path, opened):
    texts = [entry_rows("dar", params={EVIL: f"{EVIL}{k}"}, label=EVIL) for k in range(2)]
    assert EVIL not in render(tmp_path, entry_rows("add"), *texts)
    with opened(tmp_path / "index.html") as page:
        plot = scrolled(page, "s1-cells")
        assert "&lt;script" in plot.evaluate("({ data }) => data[0].x.join() + data[0].y.join()")
        assert page.locator("#s1 img").count() == 0
    assert "s1-data" in inert((tmp_path / "index.html").read_text())
