"""The columns of a ranking: which there are, what they hold, and what a reader is shown."""

import json
import random

import pytest

from darbench.board import cells
from darbench.board.column import ALL, PRESETS
from darbench.board.columns import columns, table
from darbench.board.rank import rank
from darbench.store.tables import to_frame
from tests.make.pages import FURTHER, cells_of, headings, measured, render
from tests.make.rows import entry_rows


@pytest.fixture
def board():
    return rank(to_frame(row for group in measured() for row in group))


def test_the_columns_of_an_issue_are_there_and_what_nobody_measured_is_not(board):
    names = [column.name for column in columns(board)]
    assert len({*names}) == len(names) and {*names} <= {*board.frame.columns}
    wanted = "tier val_loss_effect val_loss_chance val_loss fd fdr fd_inf kid nn_distance_ratio "
    wanted += "flops_routing_share step_time_ratio memory_ratio peak_mem_bytes params_total seeds "
    wanted += "failures dead looks created"
    assert {*wanted.split()} <= {*names}
    assert not {"sfd", "class_accuracy", "other_effect"} & {*names}


def test_presets_are_those_that_the_page_offers(board, tmp_path):
    used = {preset for column in columns(board) for preset in column.presets}
    assert used == {*PRESETS} - {ALL}
    options = "".join(f"<option>{preset}</option>" for preset in PRESETS)
    assert options.replace("<option>", "<option selected>", 1) in render(tmp_path, *measured())


def test_the_table_holds_the_frame_to_six_digits(board):
    held = json.loads(table(board, columns(board)))
    assert held["values"]["kid_se"] == [0.002, 0.002]
    assert held["values"]["params_total"] == board.frame["params_total"].to_list()
    effects = board.frame["val_loss_effect"].to_list()
    assert held["values"]["val_loss_effect"] == pytest.approx(effects, rel=1e-5)
    chance = board.frame["val_loss_chance"].to_list()
    assert chance[0] > 0.99 and chance[1] is None  # of `add` against itself there is none


def test_presets_show_their_columns_and_give_the_compact_ones_back(tmp_path, opened):
    render(tmp_path, *measured())
    with opened(tmp_path / "index.html") as page:
        compact = headings(page)
        assert "Chance to be better" in compact and "KID" not in compact
        choice = page.locator("[data-rank=columns]")
        choice.select_option("quality")
        page.locator("th", has_text="FD-infinity").wait_for()
        quality = headings(page)
        assert quality.index("FD(digits-cnn)") < quality.index("FD-infinity(digits-cnn)")
        row = cells_of(page, 1)
        assert row["FD-infinity(digits-cnn)"] == "17.3 ± 0.50" and row["FDr"] == "2.50 ± 0.25"
        assert row["Memorisation ratio"] == "0.988" and "Seeds" not in row
        choice.select_option("cost")
        page.locator("th", has_text="Peak memory, GB").wait_for()
        row = cells_of(page, 1)
        assert row["Peak memory, GB"] == "1.50" and row["Memory against add"] == "1.00×"
        assert row["Parameters"] == "1,000" and row["Training, s"] == "12.5"
        choice.select_option("robustness")
        row = cells_of(page, 1)
        assert row["Date"] == "2031-05-01" and row["Dead routers"] == "0"
        assert row["Seeds"] == "3/3" and row["Looks"] == "0"
        choice.select_option("compact")
        assert headings(page) == compact


def test_the_mechanism_shows_the_diagnosis_and_the_early_one(tmp_path, opened):
    told = [[row | {"fwd_rms_ratio": 1 + row["pair_id"]} for row in rows] for rows in measured()]
    render(tmp_path, *told)
    with opened(tmp_path / "index.html") as page:
        page.locator("[data-rank=columns]").select_option("mechanism")
        page.locator("th", has_text="R² of t, early").wait_for()
        row = cells_of(page, 1)
    assert row["RMS, last over first block"] == "2.00"  # seeds 0, 1 and 2
    assert row["Cosine of neighbouring blocks"] == "0.875" and row["R² of t, early"] == "0.625"
    assert "R² of t" not in row  # nobody has it


def test_a_mean_over_seeds_of_which_one_was_not_diagnosed_is_none():
    rows = [row | {"block_cosine": 0.5} for row in entry_rows("dar", (0, 1))]
    board = rank(to_frame([*rows, *entry_rows("dar", (2,))]))
    assert board.frame["block_cosine"].to_list() == [None]


def test_every_column_says_the_same_of_an_entry_as_python_does(tmp_path, opened):
    """What the page holds and what the script writes of the same column have one text."""
    dear = [row | FURTHER for row in entry_rows("mhc", cost=1.37, ratio=1.2, wobble=0.02)]
    render(tmp_path, *measured(), dear)
    with opened(tmp_path / "index.html") as page:
        pairs = page.evaluate(
            "rankingOf(document.querySelector('section')).then((ranking) =>"
            "ranking.rows.flatMap((row, at) => ranking.columns"
            ".filter(({ presets }) => presets.includes('compact')).map((column, k) =>"
            "[linesOf(ranking, column, at)[0], row.cells[k + 1].innerText])))"
        )
    assert len(pairs) == 3 * 9
    assert [(one, two) for one, two in pairs if one != two.split("\n")[0]] == []


def test_effects_are_written_as_python_writes_them(scripts):
    rng, ends = random.Random(0), []
    for _ in range(300):
        middle = rng.gauss(0, 10 ** rng.uniform(-5, -0.5))
        half = abs(rng.gauss(0, abs(middle)))
        ends.append([middle, middle - half, middle + half])
    wanted = []
    for middle, low, high in ends:
        digits = cells.digits(middle, low, high)
        wanted.append([cells.percent(middle, digits=digits), cells.interval(low, high, digits)])
    assert scripts("(ends) => ends.map((e) => effectLines(...e, 1))", ends) == wanted


def test_no_chance_is_written_as_certain(scripts):
    chances = [0.0, 0.0049, 0.0051, 0.5, 0.994, 0.9951, 1.0]
    wanted = ["< 1 %", "< 1 %", "1 %", "50 %", "99 %", "> 99 %", "> 99 %"]
    assert [cells.chance(chance) for chance in chances] == wanted
    assert scripts("(all) => all.map((c) => WRITERS.chance({}, c)[0])", chances) == wanted


def test_without_scripts_the_compact_ranking_is_shown(tmp_path, opened):
    render(tmp_path, *measured())
    with opened(tmp_path / "index.html", java_script_enabled=False) as page:
        assert not page.locator(".tools").first.is_visible()
        row = cells_of(page, 1)
        assert row["Tier"] == "1" and row["Seeds"] == "3/3"
        assert row["Validation loss against add"].startswith("−5.0 %")
        assert row["Chance to be better"] == "> 99 %"
