"""Figures of what entries cost: budgets, noise floor, target, order, and what a reader does."""

import base64
import csv
import io
import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from darbench.analysis.noise import pairing
from darbench.board.data import data
from darbench.board.entry_view import names_of
from darbench.board.rank import rank
from darbench.store.declared import Declared
from darbench.store.tables import to_frame
from tests.make.pages import EVIL, render, scrolled
from tests.make.rows import BUDGET, entry_rows, failed_row, trial_rows
from tests.make.trials import toy_trial


def asked(scripts, groups, call):
    """What the page's script answers about a board of these rows."""
    board = rank(to_frame(row for group in groups for row in group))
    held = data(board, names_of(board.rows))
    read = "const data = filled(JSON.parse(text), numbers);"
    return scripts(f"([text, numbers]) => {{ {read} return {call}; }}", [held.text, held.numbers])


def test_budgets_are_where_the_last_entry_reaches_a_mark(scripts):
    """At the first checkpoint too all entries have a value, so that all rank."""
    groups = [entry_rows("add"), entry_rows("dar", cost=1.07, ratio=0.95, wobble=0.01)]
    marks = asked(scripts, groups, "marksOf(data)")
    dearer = sorted({row["train_flops"] for row in groups[1]})
    assert marks == [dearer[0], dearer[1], BUDGET] and dearer[0] > BUDGET / 4
    counts = (
        "marksOf(data).map((b) => rescore(data, {budget: b}).rows.filter((r) => r.rank).length)"
    )
    assert asked(scripts, groups, counts) == [2, 2, 2]


def test_where_the_rate_falls_every_entry_is_read_at_the_checkpoint_of_the_mark(scripts):
    groups = [
        entry_rows("add", cost=1.03, schedule="linear"),
        entry_rows("dar", cost=1.07, schedule="linear", ratio=0.9),
    ]
    for k, share in enumerate((0.25, 0.5, 1.0)):
        call = f"entriesAt(data, marksOf(data)[{k}]).map((e) => e.trials[0].values.val_loss)"
        wanted = [[r["val_loss"] for r in g if r["pair_id"] == 0][k] for g in groups]
        assert sorted(asked(scripts, groups, call)) == pytest.approx(sorted(wanted)), share


def test_a_metric_that_is_measured_late_has_fewer_budgets(scripts):
    groups = [entry_rows("add"), entry_rows("dar", ratio=0.9)]
    assert asked(scripts, groups, "marksOf(data, 'flops', 'fd')") == [BUDGET / 2, BUDGET]
    assert asked(scripts, groups, "marksOf(data, 'samples')") == [6400, 12800, 25600]
    assert asked(scripts, [entry_rows("dar", until=0.5)], "marksOf(data)") == []


def test_the_noise_floor_is_the_pooled_deviation_of_pairs(scripts):
    rng = np.random.default_rng(0)
    seeds, ratios = range(5), {"add": 1.0, "dar": 0.97, "mhc": 1.02}
    logs = {r: np.log(q) + rng.normal(0, 0.01, 5) for r, q in ratios.items()}
    groups = [
        trial_rows(toy_trial(routing, seed), level=math.exp(logs[routing][seed]))
        for routing in ratios
        for seed in seeds
    ]
    entries = "const e = entriesAt(data, data.budget);"
    call = (
        f"(() => {{ {entries} return noiseFloor(e, e.find(({{ add }}) => add), 'val_loss'); }})()"
    )
    deviation = pairing(logs["add"], np.array([logs["dar"], logs["mhc"]])).pair
    wanted = stats.t.ppf(0.975, 8) * deviation / math.sqrt(5)
    assert asked(scripts, groups, call) == pytest.approx(wanted, rel=1e-9)
    alone = [entry_rows("add"), entry_rows("dar", (0,))]
    assert asked(scripts, alone, call) is None


TARGET = """(() => {
  const entries = entriesAt(data, data.budget), add = entries.find(({ add }) => add);
  return entries.map((entry) =>
    [entry.label, targetEffect(costsToTarget(entry, add, "val_loss", "flops"))]);
})()"""


def test_the_cost_to_a_target_is_that_of_the_power_law(scripts):
    """A curve r (f / B) ** -0.1 comes down to 1 at f = r ** 10 B."""
    groups = [
        entry_rows("add"),
        *(
            entry_rows(label, label=label, ratio=ratio, wobble=wobble)
            for label, ratio, wobble in (("dar", 0.95, 0.002), ("mhc", 1.01, 0), ("unet", 0.8, 0))
        ),
    ]
    found = dict(asked(scripts, groups, TARGET))
    ratios = [0.95 * (1 + 0.002 * (k - 1)) for k in range(3)]
    logs = 10 * np.log(ratios)
    low, high = np.expm1(stats.ttest_1samp(logs, 0).confidence_interval())
    assert found["dar"]["mean"] == pytest.approx(math.expm1(logs.mean()), rel=1e-9)
    assert (found["dar"]["low"], found["dar"]["high"]) == pytest.approx((low, high), rel=1e-9)
    assert found["dar"]["there"] == 3 and found["dar"]["side"] is None
    assert found["add"]["mean"] == 0
    censored = {k: found[k] for k in ("mhc", "unet")}
    assert [(e["side"], e["there"], e["low"]) for e in censored.values()] == [
        ("more", 0, None),
        ("less", 3, None),
    ]
    assert found["mhc"]["mean"] == pytest.approx(0, abs=1e-12)
    assert found["unet"]["mean"] == pytest.approx(-0.75)  # its first checkpoint


def test_a_target_that_some_seeds_miss_is_a_bound_and_one_either_way_is_none(scripts):
    def seeds(*ratios):
        return [
            row
            for seed, ratio in enumerate(ratios)
            for row in trial_rows(toy_trial("dar", seed), level=(1 + 0.1 * seed) * ratio)
        ]

    some = dict(asked(scripts, [entry_rows("add"), seeds(0.95, 0.96, 1.1)], TARGET))["dar"]
    assert (some["side"], some["there"], some["n"], some["low"]) == ("more", 2, 3, None)
    assert some["mean"] == pytest.approx((0.95 * 0.96) ** (10 / 3) - 1)
    both = dict(asked(scripts, [entry_rows("add"), seeds(0.5, 0.96, 1.1)], TARGET))["dar"]
    assert (both["side"], both["there"]) == ("", 2)


def test_where_the_rate_falls_a_target_is_reached_at_a_checkpoint(scripts):
    groups = [entry_rows(r, schedule="linear", ratio=q) for r, q in (("add", 1), ("dar", 0.92))]
    found = dict(asked(scripts, groups, TARGET))
    assert found["dar"]["mean"] == pytest.approx(-0.5)  # 0.92 ** 10 is 0.434


@pytest.fixture
def crossing(tmp_path):
    """Two entries that change places between the budgets, and a falling rate."""

    def rows(routing, slope):
        own = [
            row
            for seed in range(3)
            for row in trial_rows(
                toy_trial(routing, seed, schedule="linear"), level=1 + 0.1 * seed
            )
        ]
        costs = {"train_seconds": 8.0, "peak_mem_bytes": 3_000_000, "params_total": 1234}
        bend = [(row["train_flops"] / BUDGET) ** slope for row in own]
        wobble = [1 + 0.002 * row["pair_id"] ** 2 * slope for row in own]
        return [
            r | costs | {"val_loss": r["val_loss"] * b * w}
            for r, b, w in zip(own, bend, wobble, strict=True)
        ]

    early = [r | {"val_loss": 1.02 * r["val_loss"]} for r in rows("dar", 0.1)]
    render(tmp_path, rows("add", 0.0), early)
    return tmp_path / "index.html"


def test_the_slider_ranks_again_and_says_what_that_is_of(crossing, opened):
    with opened(crossing) as page:
        slider = page.locator("[data-look=budget]")
        slider.scroll_into_view_if_needed()
        page.locator("[data-look=budget][max='2']").wait_for()
        assert not page.locator(".unfinished").is_visible()
        page.locator("#s1-effects-points summary").click()
        rows = page.locator("#s1-effects-points tbody tr")
        rows.first.wait_for()
        own = [text.split("\t")[:2] for text in rows.all_inner_texts()]
        assert own == [["add", "1"], ["dar", "2"]]
        slider.focus()
        page.keyboard.press("Home")
        page.get_by_text("25 % of the section’s budget").wait_for()
        assert page.locator(".unfinished").is_visible()
        assert "trainings that were not finished" in page.locator(".unfinished").inner_text()
        page.wait_for_timeout(200)
        there = [text.split("\t")[:2] for text in rows.all_inner_texts()]
        assert there == [["dar", "1"], ["add", "2"]]
        assert page.locator("table.board th[scope=row]").all_inner_texts()[0].startswith("1")
        ranks = scrolled(page, "s1-ranks").evaluate("({ data }) => data.map((t) => t.y)")
        assert sorted(ranks) == [[1, 1, 2], [2, 2, 1]]


def test_a_figure_that_is_seen_before_the_slider_is_of_the_section_s_budget(crossing, opened):
    with opened(crossing, viewport={"width": 1280, "height": 200}) as page:
        page.locator("#s1-effects-points summary").click()
        rows = page.locator("#s1-effects-points tbody tr")
        rows.first.wait_for()
        assert page.locator("[data-look=budget]").is_disabled()
        assert rows.first.inner_text().startswith("add")


def test_costs_are_told_in_any_currency(crossing, opened):
    with opened(crossing) as page:
        plot = scrolled(page, "s1-val_loss")
        found = {}
        for axis in ("seconds", "samples", "memory", "parameters"):
            page.locator("[data-look=axis]").select_option(axis)
            page.wait_for_timeout(400)
            line = "({ data }) => data.find((t) => t.mode === 'lines+markers').x"
            found[axis] = plot.evaluate(line)
            title = plot.evaluate("(plot) => plot.layout.xaxis.title.text")
            assert ("toy-cpu" in title) == (axis == "seconds")
        assert found == {
            "seconds": [2, 4, 8],
            "samples": [6400, 12800, 25600],
            "memory": [3_000_000],
            "parameters": [1234],
        }


def test_seconds_of_other_hardware_are_not_told(scripts):
    other = [row | {"hw_class": "another"} for row in entry_rows("dar", (0, 1), ratio=0.9)]
    groups = [[r | {"train_seconds": 8.0} for r in g] for g in (entry_rows("add"), other)]
    call = "data.entries.map((e) => [e.label, e.trials.map((t) => t.seconds.at(-1))])"
    assert dict(asked(scripts, groups, call)) == {"add": [8, 8, 8], "dar": [None, None]}


FILE = """(plot, kind) => fileOf(plot, kind).then((blob) => new Promise((told) => {
  const reader = new FileReader();
  reader.onload = () => told(reader.result.split(",")[1]);
  reader.readAsDataURL(blob);
}))"""


def test_every_figure_has_a_table_and_files(crossing, opened):
    with opened(crossing) as page:
        figures = page.locator("figure:has(.plot)")
        assert figures.count() == 5
        for figure in figures.all():
            plot = scrolled(page, figure.locator(".plot").get_attribute("id"))
            figure.get_by_text(" of 2 entries").wait_for()
            figure.locator(".twin summary").click()
            figure.locator("tbody tr").first.wait_for()
            for kind in ("png", "svg", "csv"):
                call = f"(plot) => ({FILE})(plot, '{kind}')"
                whole(kind, base64.b64decode(plot.evaluate(call)), figure)


@pytest.mark.parametrize("kind", ["svg", "csv"])
def test_a_button_saves_the_file_of_its_figure(crossing, opened, kind):
    with opened(crossing) as page:
        scrolled(page, "s1-ranks")
        with page.expect_download() as waiting:
            page.locator(f"figure:has(#s1-ranks) [data-export={kind}]").click()
        assert waiting.value.suggested_filename == f"s1-ranks.{kind}"
        assert waiting.value.path().read_bytes()


def whole(kind, content, figure):
    if kind == "png":
        assert Image.open(io.BytesIO(content)).size[0] == 1800
    elif kind == "svg":
        assert content.startswith(b"<svg") and b"</svg>" in content
    else:
        rows = [row for row in csv.reader(io.StringIO(content.decode())) if row]
        shown = figure.locator("tr").count()
        assert len(rows) == shown > 1


def test_no_text_of_a_user_runs_in_a_figure_or_its_table(tmp_path, opened):
    rows = [row | {"hw_class": EVIL} for row in entry_rows("dar", label=EVIL, ratio=0.95)]
    render(tmp_path, entry_rows("add"), [r | {"train_seconds": 8.0} for r in rows])
    with opened(tmp_path / "index.html") as page:
        for name in ("s1-val_loss", "s1-effects", "s1-ranks", "s1-target"):
            scrolled(page, name)
            page.locator(f"#{name}-points summary").click()
        page.locator("[data-look=axis]").select_option("seconds")
        page.wait_for_timeout(400)
        assert page.locator("figure img").count() == 0


def test_a_cell_that_a_spreadsheet_would_compute_is_quoted(scripts):
    cells = ["=1+1", "@x", "+5.0 %", "-3", "−5.0 %", 'a "b", c', "-3+x()"]
    found = scripts("(cells) => cells.map(quoted)", cells)
    assert found == [
        '"\'=1+1"',
        '"\'@x"',
        '"+5.0 %"',
        '"-3"',
        '"−5.0 %"',
        '"a ""b"", c"',
        '"\'-3+x()"',
    ]


STALE = [row | {"variant_code_hash": "old"} for row in entry_rows("dar")]
BOARDS = {
    "one seed": [entry_rows("add", (0,))],
    "nobody ranks": [entry_rows("dar", until=0.5)],
    "no add": [entry_rows("dar"), entry_rows("mhc", ratio=0.9, wobble=0.01)],
    "one label for all": [
        entry_rows("add"),
        *(entry_rows("dar", label="d" * 80, params={"span": k}, ratio=1 + k) for k in range(20)),
    ],
    "an earlier source alone": [STALE, [r | {"variant_code_hash": "new"} for r in STALE[:3]]],
}


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("width", [1280, 360])
def test_figures_of_any_board_are_drawn_and_fit(tmp_path, opened, name, width):
    render(tmp_path, *BOARDS[name])
    with opened(tmp_path / "index.html", viewport={"width": width, "height": 900}) as page:
        plots = page.locator(".plot").all()
        assert len(plots) == (7 if name == "one label for all" else 5)  # it varies a parameter
        for plot in plots:
            plot.scroll_into_view_if_needed()
            shown = page.locator(f"#{plot.get_attribute('id')}:has(.main-svg)")
            nothing = page.locator(f"#{plot.get_attribute('id')}.nothing")
            own = page.locator(f"#{plot.get_attribute('id')}.own:has(svg)")
            shown.or_(nothing).or_(own).wait_for(state="attached")
            page.locator(f"figure:has(#{plot.get_attribute('id')}) .twin summary").click()
            if shown.count():
                assert shown.evaluate("({ layout }) => layout.xaxis.title.text")
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_many_ranks_leave_room_for_the_first_ones(scripts):
    few, many = scripts("() => [rankAxis(11), rankAxis(145)]")
    assert few["range"] == [11.5, 0.5] and few["type"] == "linear"
    assert many["type"] == "log" and many["tickvals"] == [1, 2, 5, 10, 20, 50, 100]
    low, high = many["range"]
    assert high < math.log10(1) and math.log10(145) < low


def test_a_board_where_all_failed_has_no_figure(tmp_path, opened):
    render(tmp_path, [failed_row(toy_trial("dar", p), "oom", "made up") for p in range(2)])
    with opened(tmp_path / "index.html") as page:
        assert page.locator("figure, .looks, .legend").count() == 0


def test_a_figure_of_nothing_says_so_and_draws_no_axes(tmp_path, opened):
    """While a sweep runs there are curves, but no entry has a rank yet."""
    groups = [entry_rows("add", (0, 1)), entry_rows("dar", (0, 1), ratio=0.9)]
    seeds = {group[0]["config_hash"]: [0, 1, 2] for group in groups}
    render(tmp_path, *groups, declared=Declared(seeds=seeds), in_progress="4 of 6 trials")
    with opened(tmp_path / "index.html") as page:
        scrolled(page, "s1-val_loss")
        for kind in ("ranks", "target"):
            figure = page.locator("figure", has=page.locator(f"#s1-{kind}"))
            figure.scroll_into_view_if_needed()
            figure.get_by_text("0 of 2 entries; no entry is ranked yet").wait_for()
            assert figure.locator(".main-svg").count() == 0
            assert figure.locator("button:disabled").all_inner_texts() == ["PNG", "SVG"]
            assert figure.locator(".plot").evaluate("plot => plot.offsetHeight") == 0


def test_a_figure_whose_entries_are_all_hidden_is_drawn_again_when_one_is_shown(tmp_path, opened):
    render(tmp_path, entry_rows("add"), entry_rows("dar", ratio=0.9))
    with opened(tmp_path / "index.html") as page:
        plot, buttons = scrolled(page, "s1-val_loss"), page.locator(".legend button")
        for i in range(buttons.count()):
            buttons.nth(i).click()
        told = plot.locator("xpath=..").locator(".shown")
        told.filter(has_text="0 of 2 entries").wait_for()
        assert plot.locator(".main-svg").count() == 0
        buttons.first.click()
        told.filter(has_text="1 of 2 entries").wait_for()
        plot.locator(".main-svg").first.wait_for()
