"""Importances: where the shares of variance are known, and where there are none."""

import math

import optuna
import pytest

from darbench.records.trial import Report
from darbench.search.driver import Driver
from darbench.search.importance import FEWEST, importances
from darbench.search.propose import proposer
from darbench.search.worker import RowWriter
from darbench.store.importances import FILE, point_key, read
from tests.make.spaces import load
from tests.search.drive import STUDY, drive, objective

DOMAINS = {
    "dar/a": optuna.distributions.FloatDistribution(-1, 1),
    "dar/b": optuna.distributions.CategoricalDistribution(["x", "y", "z"]),
    "dar/c": optuna.distributions.IntDistribution(1, 8),
}


def drawn(n, value, variant="dar", domains=DOMAINS):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    only = optuna.distributions.CategoricalDistribution(["dar", "add"])
    trials = []
    for k in range(n):
        params = study.ask(domains).params
        trials.append(
            optuna.trial.create_trial(
                params={"variant": variant, **params},
                distributions={"variant": only, **domains},
                value=value(k, params),
            )
        )
    return trials


def additive(k, params):
    return params["dar/a"] + 0.5 * "yxz".index(params["dar/b"])


def test_shares_come_near_those_of_the_variance():
    """Uniform on [-1, 1] has a variance of 1/3, of -1, 0, 1 half of it is 1/6."""
    (found,) = importances(drawn(60, additive))
    assert [*found.shares] == ["a", "b", "c"] and sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["a"] == pytest.approx(2 / 3, abs=0.12)
    assert found.shares["b"] == pytest.approx(1 / 3, abs=0.12)
    assert (found.variant, found.trials, found.reason) == ("dar", 60, "")
    assert found.shares["a"] > found.chance["a"] and found.shares["c"] < found.chance["c"]


def test_where_nothing_matters_no_share_is_above_chance():
    (found,) = importances(drawn(40, lambda k, params: math.sin(1000 * k)))
    assert all(found.shares[name] < found.chance[name] for name in found.shares)
    assert importances(drawn(40, lambda k, params: math.sin(1000 * k))) == [found]


def test_too_few_equal_ones_and_single_parameters_have_a_reason():
    one = {"dar/a": DOMAINS["dar/a"], "dar/d": optuna.distributions.IntDistribution(3, 3)}
    of = {
        f"{FEWEST - 1} of at least {FEWEST} configurations finished": drawn(FEWEST - 1, additive),
        "all results are equal": drawn(20, lambda k, params: 1.0),
        "it has one parameter": drawn(20, lambda k, params: params["dar/a"], domains=one),
        "it has no parameters": drawn(20, lambda k, params: k, "add", {}),
    }
    for reason, trials in of.items():
        (found,) = importances(trials)
        assert (found.shares, found.reason, found.trials) == (None, reason, len(trials))
    assert importances([]) == []


def test_a_study_weighs_each_variant_once_it_has_ended(tmp_path):
    space, rows = load(tmp_path, STUDY, "trials=24"), []
    proposing = proposer(space, rows)
    drive(proposing, rows, limit=40)
    assert proposing.importances() == {}
    drive(proposing, rows)
    found = proposing.importances()
    by_variant = {each.variant: each for each in found[point_key(space.ground.point)]}
    assert {*by_variant} == {"add", "dar", "hyper"}
    assert sum(each.trials for each in by_variant.values()) == 24
    assert {*by_variant["dar"].shares} == {"query", "lr_mult"}
    assert by_variant["hyper"].reason and by_variant["add"].shares is None
    again = proposer(space, rows)
    drive(again, rows)
    assert again.importances() == found


def test_a_sweep_that_ends_keeps_them_beside_its_ledger(tmp_path):
    space, said = load(tmp_path, STUDY, "trials=24", "seeds=[0]"), []
    driver = Driver.of(space, tmp_path / "mine", device="cpu", command="", listener=said.append)
    writer = RowWriter(folder=driver.folder, device="cpu", name="driver")
    while driver.peek():
        if len(said) == 20:
            driver.build_board()
            assert not (driver.folder / FILE).exists()
        trial = driver.take()
        value = objective(trial)
        measured = {"status": "ok", "val_loss": value, "train_flops": 1e9, "budget_flops": 1e9}
        row = writer.append(trial, Report(step=1, final=True, measured=measured), 1)
        driver.end(trial, row)
    page = driver.build_board().read_text()
    kept = read(driver.folder)
    assert kept == driver.proposer.importances() and len(kept) == 1
    assert 'id="s1-importances"' in page and 'id="s1-trajectory"' in page


def test_failed_configurations_are_left_out_and_a_grid_has_none(tmp_path):
    space, rows = load(tmp_path, STUDY), []
    proposing = proposer(space, rows)
    drive(proposing, rows, status=lambda t: "crashed" if t.variant.routing == "dar" else "ok")
    (own,) = proposing.importances().values()
    assert "dar" not in {each.variant for each in own}
    grid = load(tmp_path, "variants: [{routing: add}]")
    assert proposer(grid, []).importances() == {}
