"""Sections of a board: every point of a space's axes has one, with its own `add`."""

import json
import re

import pytest

import darbench
from darbench.board.rank import sections
from darbench.store import ledger
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.tables import to_frame
from tests.make.rows import entry_rows, seed_level, trial_rows
from tests.make.spaces import load, write
from tests.make.trials import toy_trial

SPACE = """
seeds: [0, 1, 2]
axes: {training.lr: [3e-3, 6e-3], training.weight_decay: [0.0]}
variants: [{routing: add}, {routing: dar, params: {span: 2}}]
"""
RATES = (6e-3, 1e-2)
RATE = ("training.lr",)


def places() -> dict[str, list[Place]]:
    """The places of `add` and `dar` at both rates."""
    return {
        toy_trial(routing, lr=lr).config_hash: [Place(point={"training.lr": lr})]
        for lr in RATES
        for routing in ("add", "dar")
    }


def rows_at_both(**ratios: float) -> list[dict]:
    return [
        row
        for lr, ratio in zip(RATES, ratios.values(), strict=True)
        for routing, of_it in (("add", 1.0), ("dar", ratio))
        for row in entry_rows(routing, lr=lr, ratio=of_it, wobble=0.001 * (of_it != 1))
    ]


def test_without_places_rates_share_a_section_and_with_them_each_has_its_own():
    rows = rows_at_both(one=0.9, two=1.1)
    assert len(sections(to_frame(rows))) == 1
    one, two = sections(to_frame(rows), Declared(places=places()))
    assert [dict(b.point) for b in (one, two)] == [{"training.lr": lr} for lr in RATES]
    for board, order, effect in ((one, ["dar", "add"], -0.1), (two, ["add", "dar"], 0.1)):
        table = {row.label: row for row in board.rows}
        assert [row.label for row in board.rows] == order and board.tried == 2
        assert table["dar"].against == table["add"].entry
        assert table["dar"].metrics["val_loss"].effect == pytest.approx(effect, abs=1e-3)
        assert "another training" not in table["dar"].mark


def test_rows_that_no_sweep_placed_stand_as_before():
    rows = [*rows_at_both(one=0.9, two=1.1), *entry_rows("mhc"), *entry_rows("unet", lr=1e-2)]
    boards = sections(to_frame(rows), Declared(places=places()))
    labels = [(dict(b.point), sorted(row.label for row in b.rows)) for b in boards]
    assert labels == [
        ({}, ["mhc", "unet"]),
        ({"training.lr": 6e-3}, ["add", "dar"]),
        ({"training.lr": 1e-2}, ["add", "dar"]),
    ]


def test_a_configuration_may_stand_in_two_places_and_each_split_where_it_was_declared():
    """The trials of a search stand where the search was, those that rank where they rank."""
    key = toy_trial("dar").config_hash
    rows = [*entry_rows("add"), *entry_rows("dar"), *entry_rows("dar", (7, 8), split="search")]
    searched = Place(tuned=RATE, split="search")
    both = [Place(), Place(tuned=RATE), searched]
    fixed, tuned = sections(to_frame(rows), Declared(places={key: both}))
    assert (fixed.tuned, tuned.tuned) == ((), RATE)
    assert splits(fixed, "dar") == {"confirm"} and splits(fixed, "add") == {"confirm"}
    assert splits(tuned, "dar") == {"confirm", "search"} and len(tuned.rows) == 1
    fixed, tuned = sections(to_frame(rows), Declared(places={key: [Place(), searched]}))
    assert splits(fixed, "dar") == {"confirm"}
    assert [(row.split, row.rank) for row in tuned.rows] == [("search", None)]


def splits(board, label: str) -> set[str]:
    """The splits of the trials of the entry with this label."""
    entry = next(row.entry for row in board.rows if row.label == label)
    return set(board.trials.filter(entry=entry)["split"])


def test_sections_stand_in_the_order_of_the_axes_whatever_ran_first():
    rows = rows_at_both(one=0.9, two=1.1)
    turned = dict(reversed(places().items()))
    boards = sections(to_frame(rows), Declared(places=turned))
    assert [b.point["training.lr"] for b in boards] == [*reversed(RATES)]


@pytest.fixture
def swept(tmp_path):
    """A space with axes whose trials have all run, and the outcome of its sweep."""
    space = load(tmp_path, SPACE)
    for configuration in space.grid():
        better = 0.9 if configuration.variant.routing == "dar" else 1.0
        for seed in space.seeds:
            trial = configuration.trial(seed, "confirm")
            for row in trial_rows(trial, level=seed_level(seed) * better * (1 + 1e-3 * seed**2)):
                ledger.append(tmp_path / "mine" / "ledger" / "made.jsonl", row)
    return darbench.sweep(write(tmp_path, SPACE), out=tmp_path)


def test_the_page_has_a_section_for_every_point_and_its_title_says_which(swept):
    assert (swept.total, swept.skipped) == (12, 12)
    page = swept.board.read_text()
    titles = re.findall(r"<h2 [^>]*>(.*?)</h2>", page)
    assert titles == [
        f"digits-nano, training.lr={lr}, training.weight_decay=0.0 at 4.00 × 10¹² training FLOPs"
        for lr in ("0.003", "0.006")
    ] + ["What the routings do", "How to read the numbers"]
    for card in re.findall(r'<dl class="card">(.*?)</dl>', page, re.DOTALL):
        assert re.search(r'<div class="differs"><dt>training\.lr</dt><dd>0\.00[36] ', card)
        assert "<div><dt>training.weight_decay</dt><dd>0.0</dd></div>" in card


def test_places_are_declared_beside_the_ledger(swept):
    told = json.loads((swept.folder / "declared.json").read_text())
    assert told["places"].keys() == told["seeds"].keys() and len(told["places"]) == 4
    points = [place["point"]["training.lr"] for own in told["places"].values() for place in own]
    assert points == [3e-3, 3e-3, 6e-3, 6e-3]
