"""`add` widened to the cost of a variant, by what trials then really hold and cost."""

from dataclasses import replace

import pytest

from darbench.errors import BadInput
from darbench.trial.match import widened
from darbench.trial.train import train
from tests.make.trials import TINY, tiny_trial

DEEPER = replace(TINY, depth=4)  # unet has a skip there
PARAMS = {"unet": {}, "dar": {"query": "dynamic", "history": "full"}}


def last(trial):
    *_, report = train(trial)
    return report.measured | {"flops": report.measured["train_flops"] / report.step}


@pytest.mark.parametrize("measure", ["parameters", "flops"])
@pytest.mark.parametrize("routing", PARAMS)
def test_a_widened_add_is_as_near_to_the_variant_as_whole_widths_allow(routing, measure):
    add = tiny_trial(model=DEEPER)
    variant = tiny_trial(routing, model=DEEPER, params=PARAMS[routing])
    hidden, off = widened(add, variant, measure)
    column = {"parameters": "params_total", "flops": "flops"}[measure]
    wanted = last(variant)[column]
    less, met, more = (
        last(replace(add, model=replace(add.model, mlp_hidden=hidden + step)))[column]
        for step in (-1, 0, 1)
    )
    assert off == pytest.approx(met / wanted - 1, abs=1e-12)
    assert abs(met - wanted) <= min(abs(less - wanted), abs(more - wanted))
    assert hidden > 4 * add.model.width


def test_it_trains_for_the_same_budget():
    add, variant = tiny_trial(), tiny_trial("dar", params=PARAMS["dar"])
    hidden, _ = widened(add, variant, "flops")
    wide = last(replace(add, model=replace(add.model, mlp_hidden=hidden)))
    assert wide["budget_flops"] == last(variant)["budget_flops"]
    assert wide["flops"] == pytest.approx(last(variant)["flops"], rel=0.01)


@pytest.mark.parametrize("routing", ["add", "deepnorm"])
def test_add_is_not_matched_to_what_costs_no_more(routing):
    with pytest.raises(BadInput, match="it can be matched only to a variant that costs more"):
        widened(tiny_trial(), tiny_trial(routing), "parameters")
