"""The report in a browser: its numbers are those of the table, its controls do what they say."""

import csv
import math

import polars as pl
import pytest

from darbench.pages.colours import GREY, style
from darbench.pages.pictures import Subject, pictures
from darbench.pages.report import write_report
from tests.make.diagnoses import TIMES, table, value
from tests.make.pages import EVIL, scrolled

TABLE = table(("a0", 0, False), ("d0", 0, True), ("d1", 1, True), ("e0", 2, False))
ARRAYS = "read('d1').then(({ entries }) => entries.map(({ arrays }) => ({ arrays })))"


@pytest.fixture
def report(tmp_path):
    def made(*titles, room=None):
        own = zip(titles, (("a0",), ("d0", "d1"), ("e0",)), strict=True)
        subjects = [
            Subject(
                name=f"{'-'.join(trials)}",
                title=title,
                style=style(place - 1) if place else GREY,
                baseline=place == 0,
                trials=trials,
            )
            for place, (title, trials) in enumerate(own)
        ]
        of = lambda trials: TABLE.filter(pl.col("trial").is_in([*trials]))  # noqa: E731
        return write_report(tmp_path, "toy", [pictures("d1", "What", subjects, of, room)])

    return made


def at(array, *place):
    """The value that a page has at a place along the axes, by their numbers."""
    index = 0
    for along, number in zip(array["axes"].values(), place, strict=True):
        index = index * len(along) + along.index(number)
    return array["values"][index]


@pytest.mark.parametrize("room", [None, 10**6])
def test_what_a_browser_unpacks_is_the_table_within_the_half_step_that_it_tells(
    report, opened, room
):
    with opened(report("add", "dar", "mhc", room=room)) as page:
        add, dar, _ = page.evaluate(ARRAYS)
    for name in ("rms_z", "rms_grad_z", "block_cosine"):
        array, log = add["arrays"][name], name != "block_cosine"
        for t in TIMES:
            for k in (0, 1, 2):
                known, found = value(name, t, k, 0), at(array, t, k)
                off = abs(math.log(found / known)) if log else abs(found - known)
                assert off <= array["half"] * (1 + 1e-6) + 1e-12 and array["half"] < 2e-5
    for name in ("routing_matrix", "gate_gradient"):
        array = add["arrays"][name]
        assert array["half"] < (2e-5 if room is None else 3e-3)
        for t in array["axes"]["t"]:
            known = {(k, j): value(name, t, k, j) for k in range(5) for j in range(k + 1)}
            for (k, j), each in known.items():
                assert abs(at(array, t, k, j) - each) <= array["half"] * (1 + 1e-6)
    both = [value("softmax_weights", 0.5, 4, 2, seed) for seed in (0, 1)]
    weights = dar["arrays"]["softmax_weights"]
    assert abs(at(weights, 0.5, 4, 2) - sum(both) / 2) <= weights["half"] * (1 + 1e-6)
    spread = dar["arrays"]["rms_z"]["spread"]
    assert spread == pytest.approx([0.05 / math.sqrt(2)] * 27, rel=1e-6)


def test_the_slider_moves_every_figure_over_depth_and_says_the_time(report, opened):
    with opened(report("add", "dar", "mhc")) as page:
        plot = scrolled(page, "d1-magnitude")
        told = page.locator(".time-told")
        for place in (0, 8, 3):
            page.locator("[data-diagnosis=time]").fill(str(place))
            t = TIMES[place]
            end = {0: ", noise", 1: ", data"}.get(t, "")
            assert told.inner_text() == f"t = {t:g}{end}"
            page.get_by_text(f"3 of 3 entries; t = {t:g}{end}; line").first.wait_for()
            y = plot.evaluate("({ data }) => data.find(({ name }) => name === 'add').y")
            assert y == pytest.approx([value("rms_z", t, k, 0) for k in range(3)], rel=1e-4)


def test_an_entry_is_taken_out_of_the_lines_and_maps_are_of_the_chosen_one(report, opened):
    with opened(report("add", "dar", "mhc")) as page:
        plot, matrix = scrolled(page, "d1-cosine"), scrolled(page, "d1-matrix")
        ranges = []
        for name, label in (("e0", "mhc"), ("a0", "add"), ("d0-d1", "dar")):
            page.locator("[data-diagnosis=of]").select_option(name)
            page.locator("#d1-matrix ~ .shown", has_text=f"; {label}").wait_for()
            z = matrix.evaluate("({ data }) => data.map(({ customdata }) => customdata)")
            scale = "({ layout: { coloraxis: { cmin, cmax } } }) => [cmin, cmax]"
            ranges.append(matrix.evaluate(scale))
            colours = matrix.evaluate("({ data }) => data[8].z[3]")
            share = z[8][3][1] / sum(abs(v) for v in z[8][3][:4])
            assert colours[1] == pytest.approx(math.copysign(abs(share) ** 0.5, share))
            assert len(z) == 9 and z[0][1][2] is None
            seeds = {"mhc": [2], "add": [0], "dar": [0, 1]}[label]
            known = [value("routing_matrix", TIMES[8], 3, 1, seed) for seed in seeds]
            assert z[8][3][1] == pytest.approx(sum(known) / len(known), abs=1e-4)
        assert ranges == [[-1, 1]] * 3
        titles = matrix.evaluate("({ layout }) => layout.annotations.map(({ text }) => text)")
        assert titles[0] == "t = 0, noise" and titles[-1] == "t = 1, data"
        page.locator(".legend button", has_text="dar").click()
        page.locator("#d1-cosine ~ .shown", has_text="2 of 3 entries").wait_for()
        names = "({ data }) => data.map(({ name }) => name).filter(Boolean)"
        assert plot.evaluate(names) == ["add", "mhc"]


def test_measures_over_t_are_of_the_chosen_shares_and_who_has_no_softmax_is_left_out(
    report, opened
):
    with opened(report("add", "dar", "mhc")) as page:
        plot = scrolled(page, "d1-entropy")
        assert "0 noise" in plot.inner_text() and "1 data" in plot.inner_text()
        page.locator("[data-diagnosis=shares]").select_option("softmax")
        page.locator("#d1-entropy ~ .shown", has_text="1 of 3 entries").wait_for()
        mixing = scrolled(page, "d1-mixing")
        assert mixing.evaluate("({ data }) => data.length") == 9
        page.locator("[data-diagnosis=of]").select_option("a0")
        page.locator("#d1-mixing ~ .shown", has_text="add reads by no softmax").wait_for()
        assert page.locator("#d1-mixing").evaluate("plot => plot.offsetHeight") == 0
        gates = scrolled(page, "d1-gates")
        z = gates.evaluate("({ data }) => data[0].customdata[4][4]")
        assert z == pytest.approx(value("gate_gradient", 0.0, 4, 4), abs=1e-4)


# A browser asks before it saves many files, so their content is taken from the page.
TEXT_OF = "async (plot, kind) => (await fileOf(plot, kind)).text()"


def test_every_figure_has_its_table_and_its_files(report, opened):
    with opened(report("add", "dar", "mhc")) as page:
        figures = page.locator("figure")
        assert figures.count() == 14
        for figure in figures.all():
            plot = figure.locator(".plot")
            scrolled(page, plot.get_attribute("id"))
            figure.locator("summary").click()
            figure.locator("tbody tr").first.wait_for()
            assert figure.locator(".said").inner_text()
            rows = figure.locator("tbody tr").count()
            for kind, start in (("png", "PNG"), ("svg", "<svg"), ("csv", '"')):
                text = plot.evaluate(TEXT_OF, kind)
                assert start in text[:4], (plot.get_attribute("id"), kind)
            assert len([*csv.reader(text.splitlines())]) == rows + 1
        with page.expect_download() as waiting:
            figures.last.locator("[data-export=csv]").click()
        assert waiting.value.suggested_filename.endswith(".csv")


def test_no_title_runs_in_a_report(report, opened):
    path = report("add", EVIL, "mhc")
    assert EVIL not in path.read_text()
    with opened(path) as page:
        for plot in page.locator(".plot").all():
            scrolled(page, plot.get_attribute("id"))
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        page.locator("#d1-magnitude ~ .twin tbody tr").first.wait_for()
        assert page.locator("img").count() == 0 and EVIL in page.locator("body").inner_text()


def test_without_scripts_it_says_where_the_numbers_are(report, opened):
    with opened(report("add", "dar", "mhc"), java_script_enabled=False) as page:
        assert "Without JavaScript there are no pictures" in page.locator("body").inner_text()
