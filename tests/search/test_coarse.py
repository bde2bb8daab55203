"""A coarse look: every ground on a few seeds, and the grounds where something differs on all."""

import json

import numpy as np
import pytest

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.errors import BadInput
from darbench.search.propose import proposer
from darbench.store import declared, ledger
from darbench.store.tables import to_frame
from tests.make.spaces import TINY, load, write
from tests.search.drive import drive, searched

SPACE = """
seeds: [0, 1, 2]
coarse: {seeds: [7, 8]}
axes: {model.patch: [2, 4], training.lr: [3e-3, 6e-3]}
variants:
  - {routing: add}
  - {routing: dar, params: {span: [2, 4]}}
  - {routing: add, model: {skip: time}, control: true}
"""
GROUNDS = [(2, 3e-3), (2, 6e-3), (4, 3e-3), (4, 6e-3)]


def objective(trial) -> float:
    """DAR of span 4 is better by a tenth with patches of 4 at the lower rate, the control
    everywhere by a half; noise is one in a thousand."""
    here = (trial.model.patch, trial.training.lr) == (4, 3e-3)
    gain = 0.1 * (here and trial.variant.params.get("span") == 4)
    gain += 0.5 * (trial.model.skip == "time")
    noise = np.random.default_rng(int(trial.id[:12], 16)).normal()
    return (1 - gain) * (1 + 0.001 * noise) + 0.01 * trial.pair_id


def swept(folder, *overrides: str, **keywords):
    """The proposer of a whole sweep, its trials and its rows."""
    rows: list[dict] = []
    proposing = proposer(load(folder, SPACE, *overrides), rows)
    return proposing, drive(proposing, rows, **({"value": objective} | keywords)), rows


def where(trials) -> set:
    return {(t.model.patch, t.training.lr) for t in trials}


def boards(proposing, rows, command: str = ""):
    for row in rows:
        row |= {"train_flops": 2e9, "budget_flops": 2e9}
    made = proposing.declares
    told = declared.Declared().extended(
        made.seeds,
        rank_by=made.rank_by,
        places=made.places,
        controls=made.controls,
        command=command,
    )
    return sections(to_frame(rows), told)


def test_every_ground_runs_on_the_coarse_seeds_first_and_seed_by_seed(tmp_path):
    _, ran, _ = swept(tmp_path)
    assert [t.pair_id for t in ran[:32]] == [7] * 16 + [8] * 16
    assert ran[:32] == searched(ran) and where(ran[:16]) == {*GROUNDS}


def test_only_a_ground_on_which_a_variant_differs_goes_on(tmp_path):
    proposing, ran, _ = swept(tmp_path)
    assert where(ran[32:]) == {(4, 3e-3)} and {t.split for t in ran[32:]} == {"confirm"}
    assert [t.pair_id for t in ran[32:]] == [0] * 4 + [1] * 4 + [2] * 4
    assert proposing.total == len(ran) == 44


def test_a_control_chooses_no_ground(tmp_path):
    _, ran, _ = swept(tmp_path, value=lambda t: 1 - 0.5 * (t.model.skip == "time"))
    assert ran == searched(ran)


def test_a_variant_that_is_worse_chooses_a_ground_too(tmp_path):
    _, ran, _ = swept(tmp_path, value=lambda trial: 1 / objective(trial))
    assert where(ran[32:]) == {(4, 3e-3)}


def test_a_failed_trial_leaves_its_pair_out_and_without_add_nothing_is_chosen(tmp_path):
    def status(trial):
        here = (trial.model.patch, trial.training.lr) == (4, 3e-3)
        return "diverged" if here and trial.variant.routing == "add" else "ok"

    _, ran, _ = swept(tmp_path, status=status)
    assert ran == searched(ran)


@pytest.mark.parametrize("limit", [0, 5, 31, 32, 33, 40])
def test_it_goes_on_from_the_ledger_wherever_it_was_cut(tmp_path, limit):
    _, whole, _ = swept(tmp_path)
    _, first, rows = swept(tmp_path, limit=limit)
    again = proposer(load(tmp_path, SPACE), rows)
    rest = drive(again, rows, value=objective)
    assert [t.id for t in first + rest] == [t.id for t in whole]
    assert again.skipped == limit and again.total == len(whole)
    assert drive(proposer(load(tmp_path, SPACE), rows), rows) == []


def test_it_waits_for_the_last_coarse_trial_before_it_chooses(tmp_path):
    proposing = proposer(load(tmp_path, SPACE), [])
    asked = [proposing.next() for _ in range(33)]
    assert None not in asked[:32] and asked[32] is None


@pytest.mark.parametrize(("metric", "grounds"), [("val_loss", 0), ("fd", len(GROUNDS))])
def test_a_clipped_loss_is_held_against_no_other_and_chooses_nothing(tmp_path, metric, grounds):
    of_data = "variants=[{routing: add},{routing: dar,training: {objective: data}}]"
    rows: list[dict] = []
    proposing = proposer(load(tmp_path, SPACE, of_data, f"task.rank_by={metric}"), rows)
    ran = drive(proposing, rows, value=lambda t: 1.0 if t.variant.routing == "add" else 0.5)
    assert len(searched(ran)) == 2 * 2 * len(GROUNDS)
    assert len(where(t for t in ran if t.split == "confirm")) == grounds


def test_without_coarse_seeds_every_ground_runs(tmp_path):
    _, _, rows = swept(tmp_path)
    more = drive(proposer(load(tmp_path, SPACE, "coarse.seeds=[]"), rows), rows, value=objective)
    assert len(more) == 3 * 12 and where(more) == {*GROUNDS} - {(4, 3e-3)}


BAD = {
    "coarse.seeds=[7]": "coarse.seeds=[7]: one seed tells nothing of noise; give two or more",
    "coarse.seeds=[7,7]": "coarse.seeds=[7, 7]: must be distinct",
    "coarse.seeds=[1,7]": "coarse.seeds: [1] are in seeds too, and seeds that choose a ground",
    "sampler=tpe": "coarse.seeds: sampler=tpe searches by itself; take one of the two out",
    "tune.over.training.warmup=[0,5]": "coarse.seeds: tune.over searches by itself",
}


@pytest.mark.parametrize("override", BAD)
def test_bad_coarse_seeds_are_one_helpful_line(tmp_path, override):
    with pytest.raises(BadInput) as refused:
        load(tmp_path, SPACE, override)
    assert BAD[override] in str(refused.value) and "\n" not in str(refused.value)


def test_seeds_that_chose_stay_apart_from_those_that_rank(tmp_path):
    _, _, rows = swept(tmp_path)
    with pytest.raises(BadInput, match=r"^seeds: a search of these routings ran on \[7\]"):
        proposer(load(tmp_path, SPACE, "seeds=[7]", "coarse.seeds=[]"), rows)
    with pytest.raises(BadInput, match=r"^coarse\.seeds \[0, 1\] rank entries .* coarse\.seeds="):
        proposer(load(tmp_path, SPACE, "seeds=[3]", "coarse.seeds=[0,1]"), rows)


def test_a_ground_that_was_left_is_a_section_that_says_so_and_what_runs_it(tmp_path):
    proposing, _, rows = swept(tmp_path)
    command = "darbench sweep --space mine model.patch=2"
    made = boards(proposing, rows, command)
    by_point = {(b.point["model.patch"], b.point["training.lr"]): b for b in made}
    assert {point for point, b in by_point.items() if b.left} == {*GROUNDS} - {(4, 3e-3)}
    chosen, left = by_point[4, 3e-3], by_point[2, 3e-3]
    assert chosen.rows[0].label == "dar (span=4)" and chosen.rows[0].rank == 1
    assert chosen.pair_ids == (0, 1, 2)
    assert {row.split for row in left.rows} == {"search"} and left.pair_ids == (7, 8)
    assert not any(row.rank or row.metrics["val_loss"].p for row in left.rows)
    page = write_page("mine", made, tmp_path, tmp_path).read_text()
    assert page.count("Searched only: no variant differs from") == 3
    again = "darbench sweep --space mine model.patch=2 training.lr=0.003 &#39;coarse.seeds=[]&#39;"
    assert again in page and "Nothing is ranked yet" not in page


def test_before_the_choice_no_ground_is_left(tmp_path):
    proposing, _, rows = swept(tmp_path, limit=20)
    assert not any(board.left for board in boards(proposing, rows))


def test_a_ground_that_is_run_anyway_is_one_section_again(tmp_path):
    proposing, _, rows = swept(tmp_path)
    later = proposer(load(tmp_path, SPACE, "coarse.seeds=[]"), rows)
    drive(later, rows, value=objective)
    for row in rows:
        row |= {"train_flops": 2e9, "budget_flops": 2e9}
    told = declared.Declared()
    for each in (proposing.declares, later.declares):
        told = told.extended(each.seeds, places=each.places, controls=each.controls)
    made = sections(to_frame(rows), told)
    assert len(made) == 4 and not any(board.left for board in made)
    assert all(board.pair_ids == (0, 1, 2) for board in made)


@pytest.mark.slow
def test_a_real_sweep_goes_on_where_something_differs_and_runs_nothing_twice(tmp_path, run):
    """A variant that hardly moves is far behind after 60 steps."""
    text = """
    seeds: [0]
    coarse: {seeds: [7, 8]}
    axes: {training.steps: [1, 60]}
    variants: [{routing: add}, {routing: dar, training: {lr: 1e-9}}]
    """
    space = write(tmp_path, text + TINY.replace("\n", "\n    "))
    line = ["sweep", "--space", space, "--out", str(tmp_path), "--json", "training.lr=0.02"]
    first, again = (json.loads(run(*line)[1]) for _ in range(2))
    rows = ledger.read_ledger(tmp_path / "mine" / "ledger")
    ranked = [json.loads(row["config_json"]) for row in rows if row["split"] == "confirm"]
    steps = {config["training"]["steps"] for config in ranked}
    assert 60 in steps and first["done"] == first["total"] == 8 + 2 * len(steps)
    assert again["done"] == 0 and again["skipped"] == first["total"] == again["total"]
    page = (tmp_path / "mine" / "index.html").read_text()
    assert page.count("Searched only:") == 2 - len(steps)
