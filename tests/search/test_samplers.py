"""Samplers: Halton's points by hand, CMA-ES, what they refuse, and how a killed search goes on."""

import math
import statistics

import pytest

from darbench.errors import BadInput
from darbench.search.propose import proposer
from tests.make.spaces import load
from tests.search.drive import STUDY, drive, searched

TWO = """
trials: 30
seeds: [0]
confirm: {top: 1, seeds: [7]}
variants:
  - {routing: add}
  - routing: dar
    params: {lr_mult: {low: 0.1, high: 10, log: true}}
    training: {lr: {low: 1.0e-3, high: 1.0e-1, log: true}}
"""


def bowl(trial) -> float:
    """An objective that is lowest at lr_mult = 3, lr = 0.02."""
    if trial.variant.routing == "add":
        return 2.0
    one = math.log10(trial.variant.params["lr_mult"] / 3)
    other = math.log10(trial.training.lr / 0.02)
    return 0.1 + one**2 + 2 * other**2


def radical_inverse(number: int, base: int) -> float:
    """The digits of a number mirrored at the point: Halton's sequence in one dimension."""
    share, scale = 0.0, 1.0
    while number:
        number, digit = divmod(number, base)
        scale /= base
        share += digit * scale
    return share


def test_halton_draws_its_sequence_for_each_variant(tmp_path):
    ran = searched(drive(proposer(load(tmp_path, TWO, "sampler=halton"), []), [], value=bowl))
    assert [t.variant.routing for t in ran] == ["add", *["dar"] * 29]
    for number, trial in enumerate(ran[1:], start=1):
        shares = radical_inverse(number, 2), radical_inverse(number, 3)
        assert trial.variant.params["lr_mult"] == float(f"{0.1 * 100 ** shares[0]:.3g}")
        assert trial.training.lr == float(f"{1e-3 * 100 ** shares[1]:.3g}")


def test_halton_gives_every_variant_as_much_and_every_choice_a_share(tmp_path):
    space = load(tmp_path, STUDY, "sampler=halton", "trials=13", "seeds=[0]")
    ran = searched(drive(proposer(space, []), []))
    named = [t.variant.routing for t in ran]
    assert [named.count(name) for name in ("add", "dar", "hyper")] == [1, 6, 6]
    queries = [t.variant.params["query"] for t in ran if t.variant.routing == "dar"]
    assert queries.count("static") == queries.count("dynamic") == 3


def test_halton_ends_where_a_space_has_no_more(tmp_path):
    text = "seeds: [0]\nconfirm: {top: 0}\nvariants: [{routing: add}, {routing: denseformer}]"
    assert len(drive(proposer(load(tmp_path, text, "sampler=halton"), []), [])) == 2


@pytest.mark.parametrize("stop", [1, 7, 20])
@pytest.mark.parametrize("sampler", ["halton", "cmaes"])
def test_a_search_that_was_killed_goes_on_and_runs_nothing_twice(tmp_path, sampler, stop):
    space, rows = load(tmp_path, TWO, f"sampler={sampler}"), []
    first = drive(proposer(space, rows), rows, value=bowl, limit=stop)
    rest = drive(proposer(space, rows), rows, value=bowl)
    ids = [trial.id for trial in first + rest]
    assert len(ids) == len({*ids}) and len(searched(first + rest)) == 30
    if sampler == "halton":
        whole = drive(proposer(space, []), [], value=bowl)
        assert {t.id for t in searched(whole)} == {t.id for t in searched(first + rest)}


def test_cma_es_comes_closer_than_chance_also_from_what_a_killed_one_had_found(tmp_path):
    space, rows = load(tmp_path, TWO, "sampler=cmaes", "trials=60"), []
    drive(proposer(space, rows), rows, value=bowl, limit=30)
    drive(proposer(space, rows), rows, value=bowl)
    chance = load(tmp_path, TWO, "sampler=random", "trials=60")
    drawn = [bowl(t) for t in searched(drive(proposer(chance, []), [], value=bowl))]
    found = [row["val_loss"] for row in rows if row["split"] == "search"]
    late = statistics.median(found[40:])
    assert late < 0.2 < statistics.median(found[:15]) < statistics.median(drawn)
    confirmed = {row["routing"] for row in rows if row["split"] == "confirm"}
    assert confirmed == {"add", "dar"}


def test_a_killed_cma_es_has_the_generations_of_one_that_was_not(tmp_path):
    """The points that it is given back are those of its own generations, and move its mean."""
    space, rows = load(tmp_path, TWO, "sampler=cmaes"), []
    uncut = proposer(space, rows)
    drive(uncut, rows, value=bowl, limit=20)
    rebuilt = proposer(space, rows)
    rebuilt.next(), uncut.next()
    ends = [study._study.get_trials()[:20] for study in (uncut, rebuilt)]
    generations = [[t.system_attrs.get("cma:generation") for t in trials] for trials in ends]
    assert generations[0] == generations[1] and generations[0][-1] == 3
    states = [
        study._sampler._restore_optimizer(study._study.get_trials()) for study in (uncut, rebuilt)
    ]
    assert states[0]._mean == pytest.approx(states[1]._mean)
    assert states[0]._sigma == pytest.approx(states[1]._sigma)


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ("[{routing: dar, params: {lr_mult: {low: 1, high: 9}}}]", "dar has one range"),
        (
            "[{routing: dar, params: {query: [static, dynamic], lr_mult: {low: 1, high: 9}}}]",
            "query of dar is a choice",
        ),
        ("[{routing: add}]", "the space has nothing to draw"),
        ("[{routing: denseformer}]", "denseformer has nothing to draw"),
        (
            "[{routing: dar, params: {lr_mult: {low: 1, high: 9}}}, "
            "{routing: hyper, params: {streams: {low: 1, high: 9}}}]",
            r"and 2 have any \(dar, hyper\)",
        ),
    ],
)
def test_cma_es_refuses_what_is_no_number_in_one_line(tmp_path, variants, said):
    with pytest.raises(BadInput, match=said) as caught:
        load(tmp_path, f"variants: {variants}", "sampler=cmaes")
    assert "\n" not in str(caught.value)
