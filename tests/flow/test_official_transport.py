"""Our flows against the official SiT code, whose answers record_official.py wrote down."""

import json

import pytest
import torch

from darbench.flow import path, sde, transport
from darbench.flow.sampling import make_sampler
from darbench.records import settings
from darbench.records.settings import Evaluation, Stochastic
from tests.flow.record_official import (
    FORMS,
    LAST_STEPS,
    PATHS,
    PREDICTIONS,
    RECORD,
    SIZE,
    STEPS,
    TIMES,
    WEIGHTINGS,
    model,
    noise,
    wave,
)

OFFICIAL = json.loads(RECORD.read_text())
T = torch.tensor(TIMES, dtype=torch.float64)
METHODS = {"Euler": "euler_maruyama", "Heun": "heun_sde"}
every_path = pytest.mark.parametrize("name", PATHS)
every_flow = pytest.mark.parametrize(
    ("name", "predicted"), [(n, p) for n in PATHS for p in PREDICTIONS]
)


def agree(actual, wanted):
    wanted = torch.tensor(wanted, dtype=torch.float64)
    torch.testing.assert_close(actual.flatten(), wanted, rtol=1e-9, atol=1e-9)


def labelled(x, t, label):
    return model(x, t)


def flow(name, predicted, weighting="none"):
    return transport.Transport(
        path.PATHS[name], transport.PREDICTIONS[predicted], transport.WEIGHTINGS[weighting]
    )


def test_the_names_of_a_configuration_are_those_of_the_tables():
    assert settings.PATHS == tuple(path.PATHS) == PATHS
    assert (*transport.PREDICTIONS, "repa") == settings.OBJECTIVES
    assert settings.WEIGHTINGS == tuple(transport.WEIGHTINGS) == WEIGHTINGS
    assert tuple(sde.STEPS) == settings.SDE_SAMPLERS
    assert settings.DIFFUSIONS == tuple(sde.DIFFUSIONS) == FORMS
    assert settings.LAST_STEPS == tuple(sde.LAST_STEPS) == LAST_STEPS


@every_path
def test_the_path_and_its_conversions(name):
    official, x0, x1, some = OFFICIAL[name], wave(0.0), wave(5.0), wave(2.0)
    point = path.PATHS[name].at(T, x0)
    x = point.x(x0, x1)
    agree(x, official["x"])
    agree(point.velocity(x0, x1), official["v"])
    agree(point.score_from_velocity(some, x), official["score"])
    agree(point.noise_from_velocity(some, x), official["noise"])
    agree(point.velocity_from_score(some, x), official["velocity"])


@every_path
@pytest.mark.parametrize("form", FORMS)
def test_the_diffusions(name, form):
    x = wave(0.0)
    for i, t in enumerate(TIMES):
        dynamics = sde.SDE(None, path.PATHS[name], sde.DIFFUSIONS[form])
        agree(dynamics.diffusion(x[:1], t), OFFICIAL[name][form][i : i + 1])


@every_flow
def test_the_velocity_and_the_score_of_a_network(name, predicted):
    x, transport = wave(3.0), flow(name, predicted)
    v = transport.velocity(labelled)(x, T, None)
    agree(v, OFFICIAL[f"{name} {predicted}"]["velocity"])
    score = transport.path.at(T, x).score_from_velocity(v, x)
    agree(score, OFFICIAL[f"{name} {predicted}"]["score"])


@every_flow
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_losses(name, predicted, weighting):
    transport = flow(name, predicted, "none" if predicted == "velocity" else weighting)
    start, end = transport.train_span
    u = (T - start) / (end - start)
    actual = transport.loss(labelled, wave(5.0), None, wave(0.0), u)
    agree(actual, OFFICIAL[f"{name} {predicted}"][f"loss {weighting}"])


@every_flow
def test_the_times(name, predicted):
    transport, official = flow(name, predicted), OFFICIAL[f"{name} {predicted}"]
    assert transport.train_span == tuple(official["train_span"])
    assert transport.sample_span == tuple(official["sample_span"])


@every_flow
@pytest.mark.parametrize(
    ("sampler", "method"), [("euler", "euler"), ("heun", "heun2"), ("adaptive", "dopri5")]
)
def test_the_ode_samplers(name, predicted, sampler, method):
    official = OFFICIAL[f"{name} {predicted}"]
    if method in official:
        actual = sample(flow(name, predicted), Evaluation(sampler=sampler, sampler_steps=STEPS))
        agree(actual, official[method])


def sample(transport, evaluation):
    velocity = transport.velocity(labelled)
    draw = make_sampler(evaluation, transport)
    return draw(lambda x, t: velocity(x, t, None), wave(1.0), noise)


@every_flow
@pytest.mark.parametrize("method", METHODS)
def test_the_sde_samplers(name, predicted, method):
    """The samplers agree except where the official code answers infinity, or goes on to t = 1."""
    official, compared = OFFICIAL[f"{name} {predicted}"], 0
    for form, last_step in [key.split()[1:] for key in official if key.startswith(f"{method} ")]:
        if last_step == "none" and predicted == "velocity" and name != "VP":
            continue
        settings = Stochastic(form=form, last_step=last_step, last_step_size=SIZE)
        evaluation = Evaluation(sampler=METHODS[method], sampler_steps=STEPS, sde=settings)
        actual = sample(flow(name, predicted), evaluation)
        agree(actual, official[f"{method} {form} {last_step}"])
        compared += 1
    assert compared >= 7


@pytest.mark.parametrize("name", ["Linear", "GVP"])
@pytest.mark.parametrize("method", METHODS.values())
def test_where_the_official_sde_is_infinite_this_one_is_not(name, method):
    for stochastic in (Stochastic(form="SBDM"), Stochastic(last_step="none")):
        evaluation = Evaluation(sampler=method, sampler_steps=STEPS, sde=stochastic)
        assert sample(flow(name, "velocity"), evaluation).isfinite().all()
