"""Parallel coordinates: brushes by pointer and keyboard are the ranges of the ranking's filter."""

import csv
import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from tests.make.pages import EVIL, render, varied
from tests.make.rows import entry_rows, failed_row
from tests.make.trials import toy_trial


@pytest.fixture
def board(tmp_path):
    lost = toy_trial("dar", label="lost", params={"span": 16, "query": "static"})
    render(tmp_path, *varied(cost=1.1), [failed_row(lost, "oom", "9 GB")])
    return tmp_path / "index.html"


def drawn(page):
    plot = page.locator("#s1-parallel")
    plot.scroll_into_view_if_needed()
    plot.locator("svg.parallel").wait_for()
    return plot


def at(page, hash):
    """The page at another address, once it has written down its own."""
    page.wait_for_timeout(150)
    page.goto(page.url.partition("#")[0] + hash)


def grip(page, name, part):
    return page.locator(f"[data-axis='{name}'] [data-part={part}]")


def kept(page):
    """How many entries stand in the table, and how many lines stand out."""
    page.wait_for_timeout(150)
    lines = page.locator("svg.parallel .lines path:not(.left)").count()
    rows = page.locator("#s1 .ranking tbody tr:visible").count()
    assert lines == rows
    told = page.locator("figure:has(#s1-parallel) .shown").inner_text()
    assert told.startswith(f"{rows} of 15 entries")
    return rows


def middle(page, name, part):
    box = grip(page, name, part).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_axes_stand_in_family_order_and_lines_in_the_colours_of_routings(board, opened):
    with opened(board) as page:
        plot = drawn(page)
        names = plot.locator("[data-axis]").evaluate_all("all => all.map((e) => e.dataset.axis)")
        family = ["routing", "dar.query", "dar.span", "hyper.streams", "training.lr"]
        assert names == [*family, "val_loss_effect", "flops_routing_share"]
        colours = {}
        for line in plot.locator(".lines path").all():
            name = line.locator("title").text_content().split(" ")[0]
            look = line.get_attribute("stroke"), line.get_attribute("stroke-dasharray")
            colours.setdefault({"lost": "dar"}.get(name, name), set()).add(look)
        assert all(len(each) == 1 for each in colours.values())
        looks = {name: look for name, (look,) in colours.items()}
        assert len({c for c, _ in looks.values()}) == 3 and looks["hyper"][1] != looks["dar"][1]
        assert page.locator("script").count() - page.locator("script[type]").count() <= 2


def test_a_line_stands_where_its_values_are(board, opened):
    """From the text of the path, and by Python: numbers over a decade by their logarithm."""
    with opened(board) as page:
        plot = drawn(page)
        path = plot.locator(".lines path", has_text="lost").get_attribute("d")
        points = [tuple(map(float, p.split())) for p in path[1:].split("L")]
        assert len(points) == 7 and len({x for x, _ in points}) == 7
        rails = [grip(page, name, "rail") for name in ("dar.span", "hyper.streams")]
        top, height = (float(rails[0].get_attribute(k)) for k in ("y", "height"))
        assert points[2][1] == top  # of spans 2 to 16 the largest
        assert points[3][1] == points[5][1] > top + height  # it has no streams, and no effect
        four = plot.locator(".axis:has([data-axis='dar.span']) .stop", has_text="4")
        assert float(four.get_attribute("y")) - 4 == pytest.approx(
            top + height * (1 - 2 / 14), abs=0.1
        )


def test_every_grip_can_be_grabbed(board, opened):
    with opened(board) as page:
        drawn(page)
        at(page, "#s1.ranges=dar.span:4:8")
        page.locator(".brushed").wait_for()
        grips = page.locator("svg.parallel [data-part]:visible").all()
        boxes = [each.bounding_box() for each in grips]
        assert len(boxes) == 3 * 7 + 1
        assert min(min(box["width"], box["height"]) for box in boxes) >= 24


def test_dragging_along_an_axis_is_a_range_of_the_table(board, opened):
    with opened(board) as page:
        drawn(page)
        x, y = middle(page, "dar.span", "rail")
        box = grip(page, "dar.span", "rail").bounding_box()
        page.mouse.move(x, box["y"] + box["height"] - 2)
        page.mouse.down()
        page.mouse.move(x, y, steps=4)
        page.mouse.move(x, box["y"] + box["height"] * 0.6, steps=4)
        page.mouse.up()
        assert kept(page) == 10 and "s1.ranges=dar.span::8" in page.url


def test_the_keyboard_moves_ends_and_the_whole_and_clears(board, opened):
    with opened(board) as page:
        drawn(page)
        grip(page, "dar.span", "first").focus()
        page.keyboard.press("ArrowUp")
        assert kept(page) == 7 and "s1.ranges=dar.span:4:" in page.url
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")  # not beyond the other end
        assert kept(page) == 1 and "s1.ranges=dar.span:16:" in page.url
        slider = grip(page, "dar.span", "first")
        assert slider.get_attribute("aria-valuetext") == "16"
        assert slider.get_attribute("aria-label") == "Start of dar.span"
        whole = grip(page, "dar.span", "whole")
        whole.focus()
        page.keyboard.press("ArrowDown")
        assert kept(page) == 2 and "s1.ranges=dar.span:8:8" in page.url
        assert whole.get_attribute("aria-valuetext") == "8"
        told = page.locator("figure:has(#s1-parallel) .shown").inner_text()
        assert told == "2 of 15 entries; dar.span 8"
        page.keyboard.press("Home")
        assert kept(page) == 4 and "s1.ranges=dar.span::2" in page.url
        page.keyboard.press("Escape")
        assert kept(page) == 15 and "ranges" not in page.url


def test_texts_stand_from_the_top_in_the_order_of_the_alphabet(board, opened):
    with opened(board) as page:
        drawn(page)
        grip(page, "dar.query", "last").focus()
        page.keyboard.press("ArrowUp")
        assert kept(page) == 4 and "s1.ranges=dar.query::dynamic" in page.url
        button = page.locator("#s1 .unrange")
        assert button.inner_text() == "dar.query ≤ dynamic ×"
        button.click()
        assert kept(page) == 15


def test_a_click_beside_a_brush_takes_it_away_and_dragging_it_moves_it(board, opened):
    with opened(board) as page:
        at(page, "#s1.ranges=dar.span:2:4")
        drawn(page)
        page.locator(".brushed").wait_for()
        assert kept(page) == 8
        x, y = middle(page, "dar.span", "whole")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y - 60, steps=5)
        page.mouse.up()
        assert kept(page) == 6 and "s1.ranges=dar.span:4:8" in page.url
        top = grip(page, "dar.span", "rail").bounding_box()["y"]
        page.mouse.click(x, top + 30)
        assert kept(page) == 15 and "ranges" not in page.url


def test_the_address_brings_brushes_on_numbers_and_effects_back(board, opened):
    with opened(board) as page:
        drawn(page)
        effect = grip(page, "val_loss_effect", "last")
        effect.focus()
        for _ in range(5):
            page.keyboard.press("ArrowDown")
        grip(page, "training.lr", "first").focus()
        page.keyboard.press("ArrowUp")
        count, url = kept(page), page.url
        assert 1 < count < 10 and "val_loss_effect::" in url and "training.lr:0.006:" in url
    with opened(board) as page:
        at(page, "#" + url.partition("#")[2])
        drawn(page)
        page.locator(".brushed").first.wait_for()
        assert kept(page) == count and page.locator(".brushed").count() == 2


def test_curves_show_the_entries_that_the_ranking_keeps(board, opened):
    with opened(board) as page:
        drawn(page)
        page.locator("#s1-effects").scroll_into_view_if_needed()
        page.locator("#s1-effects .main-svg").first.wait_for()
        told = page.locator("figure:has(#s1-effects) .shown")
        before = told.inner_text()
        page.locator("[data-rank=find]").fill('"span":2')
        page.wait_for_timeout(400)
        assert told.inner_text() == "4 of 15 entries" != before


def test_the_table_behind_it_and_the_files(board, opened):
    with opened(board, accept_downloads=True, color_scheme="dark") as page:
        at(page, "#s1.ranges=dar.span:4:4")
        drawn(page)
        page.locator(".brushed").wait_for()
        assert kept(page) == 4
        page.locator("figure:has(#s1-parallel) summary").click()
        rows = page.locator("figure:has(#s1-parallel) tbody tr")
        rows.first.wait_for()
        cells = [row.split("\t") for row in rows.all_inner_texts()]
        assert {tuple(row[1:5:2]) for row in cells} == {("dar", "4")} and len(cells) == 4
        files = {}
        for kind in ("csv", "svg", "png"):
            with page.expect_download() as waiting:
                page.locator(f"figure:has(#s1-parallel) [data-export={kind}]").click()
            files[kind] = waiting.value.path().read_bytes()
    table = list(csv.reader(io.StringIO(files["csv"].decode())))
    assert table[0][:3] == ["Variant", "Routing", "dar.query"] and len(table) == 5
    paths = ET.fromstring(files["svg"]).iter("{http://www.w3.org/2000/svg}path")
    assert sum(path.get("stroke") is not None for path in paths) == 15
    picture = Image.open(io.BytesIO(files["png"]))
    assert picture.size[1] == 840 and len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_it_fits_a_narrow_window_and_a_resized_one(board, opened):
    with opened(board, viewport={"width": 360, "height": 800}) as page:
        plot = drawn(page)
        width = "document.documentElement.scrollWidth"
        assert page.evaluate(width) <= 360
        narrow = plot.locator("svg").evaluate("(svg) => svg.clientWidth")
        page.set_viewport_size({"width": 1400, "height": 800})
        page.wait_for_timeout(200)
        assert plot.locator("svg").evaluate("(svg) => svg.clientWidth") > narrow > 600


def test_no_text_of_a_user_runs_and_hard_ones_can_be_brushed(tmp_path, opened):
    hard = [EVIL, "a:b,c", "%", ""]
    rows = [entry_rows("dar", params={"how:ever, %": text}, label=f"{text} l") for text in hard]
    render(tmp_path, entry_rows("add"), *rows)
    with opened(tmp_path / "index.html") as page:
        plot = drawn(page)
        assert "<script>alert" in "".join(plot.locator("text").all_text_contents())
        whole = page.locator("svg.parallel [data-axis]").nth(1)
        whole.locator("[data-part=last]").focus()
        for left in (3, 2, 1):
            page.keyboard.press("ArrowUp")
            page.wait_for_timeout(150)
            assert page.locator("svg.parallel .lines path:not(.left)").count() == left
        assert page.locator("#s1 img").count() == 0
