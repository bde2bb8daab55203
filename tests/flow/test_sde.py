"""The moments of a linear SDE's samples are found without drawing any: a sampler's answer to no
noise is the mean, and its answers to one unit of noise at each step add up to the variance."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from darbench.flow.path import PATHS
from darbench.flow.samplers import euler, heun
from darbench.flow.sampling import make_sampler
from darbench.flow.sde import DIFFUSIONS, LAST_STEPS, SDE, STEPS, integrate
from darbench.flow.transport import DEFAULT, PREDICTIONS, Transport
from darbench.randomness import normal_per_index
from darbench.records.settings import Evaluation, Stochastic
from tests.flow import gaussian

every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
every_step = pytest.mark.parametrize("step", STEPS)


def moments(sample, draws, mean=0.0, deviation=1.0):
    """Mean and variance of sample(x0, noise), linear in x0 and in `draws` draws of noise, for x0
    of that mean and deviation."""
    units = torch.eye(draws + 1, dtype=torch.float64)
    rows = torch.cat([torch.zeros(1, draws + 1, dtype=torch.float64), units])
    actual = sample(mean + deviation * rows[:, :1], lambda k: rows[:, k + 1, None])
    return actual[0, 0].item(), (actual[1:, 0] - actual[0, 0]).square().sum().item()


SPAN = (0.1, 0.96)


def sde_moments(path, step, steps, form):
    """The moments at the end of SPAN, from the true ones at its start."""
    mean, variance = true_moments(path, SPAN[0])
    dynamics = SDE(partial(gaussian.velocity, path), path, DIFFUSIONS[form])
    sample = partial(integrate, dynamics, steps=steps, span=SPAN, step=step, last_step="none")
    return np.array(moments(sample, steps, mean, math.sqrt(variance)))


def true_moments(path, t):
    t = torch.tensor([t], dtype=torch.float64)
    return [m.item() for m in gaussian.moments(path, t, t)]


@every_path
@pytest.mark.parametrize(("solve", "order"), [(euler, 1), (heun, 2)])
def test_the_ode_carries_noise_to_the_data_with_the_order_of_its_method(path, solve, order):
    """Along dx = v dt the normalised x does not change: x_1 = m + s x_0 for x_0 of N(0, 1)."""
    span = (0.2, 0.9)
    ends = torch.tensor(span, dtype=torch.float64)
    (mean0, mean1), (var0, var1) = gaussian.moments(path, ends, ends)
    x0 = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    start = mean0 + var0.sqrt() * x0
    truth = mean1 + var1.sqrt() * x0
    v = partial(gaussian.velocity, path)
    errors = [(solve(v, start, n, span) - truth).abs().max().item() for n in (100, 200)]
    assert errors[1] < 0.02
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


@every_path
def test_the_whole_ode_arrives_at_the_data(path):
    transport = Transport(path)
    draw = make_sampler(Evaluation(sampler="heun", sampler_steps=500), transport)
    v = partial(gaussian.velocity, path)
    mean, variance = moments(lambda x, noise: draw(v, x, noise), 0)
    assert mean == pytest.approx(gaussian.MEAN, abs=0.01)
    assert variance == pytest.approx(gaussian.SCALE**2, rel=0.02)


@every_path
@every_step
@pytest.mark.parametrize("form", DIFFUSIONS)
def test_every_diffusion_keeps_the_marginals_of_the_path(path, step, form):
    actual = sde_moments(path, step, 300, form)
    assert actual == pytest.approx(np.array(true_moments(path, SPAN[1])), rel=0.02)


@pytest.mark.parametrize("path", ["GVP", "VP"])  # the linear path's mean has no error at all
@pytest.mark.parametrize(("step", "orders"), [("euler_maruyama", (1, 1)), ("heun_sde", (2, 1))])
def test_the_errors_of_mean_and_variance_fall_with_their_orders(path, step, orders):
    truth = true_moments(PATHS[path], SPAN[1])
    errors = [np.abs(sde_moments(PATHS[path], step, n, "constant") - truth) for n in (200, 400)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(np.array(orders), abs=0.15)


def test_without_diffusion_a_stochastic_sampler_is_that_of_the_ode():
    path = PATHS["GVP"]
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    v = partial(gaussian.velocity, path)
    still = SDE(v, path, DIFFUSIONS["constant"], norm=0.0)
    for step, solve in (("euler_maruyama", euler), ("heun_sde", heun)):
        actual = integrate(
            still, x, lambda k: x, steps=7, span=(0.1, 0.8), step=step, last_step="none"
        )
        torch.testing.assert_close(actual, solve(v, x, 7, (0.1, 0.8)), rtol=1e-12, atol=1e-13)


@every_path
@pytest.mark.parametrize("last_step", ["Mean", "Euler", "Tweedie"])
def test_the_last_step_ends_at_the_data(path, last_step):
    settings = Stochastic(last_step=last_step, last_step_size=0.001)
    evaluation = Evaluation(sampler="heun_sde", sampler_steps=501, sde=settings)
    draw = make_sampler(evaluation, Transport(path))
    v = partial(gaussian.velocity, path)
    mean, variance = moments(lambda x, noise: draw(v, x, noise), 500)
    assert mean == pytest.approx(gaussian.MEAN, abs=0.01)
    assert variance == pytest.approx(gaussian.SCALE**2, rel=0.03)


def test_tweedie_is_the_mean_of_the_data_given_x():
    """For Gaussian data it is the regression of x_1 on x_t."""
    path, t, x = PATHS["GVP"], 0.3, torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    times = torch.full((9,), t, dtype=torch.float64)
    mean, variance = gaussian.moments(path, times, x)
    slope = path.at(times, x).alpha * gaussian.SCALE**2 / variance
    dynamics = SDE(partial(gaussian.velocity, path), path, DIFFUSIONS["sigma"])
    actual = LAST_STEPS["Tweedie"](dynamics, x, t, 1 - t)
    torch.testing.assert_close(actual, gaussian.MEAN + slope * (x - mean), rtol=1e-12, atol=1e-13)


@every_step
@pytest.mark.parametrize(("last_step", "calls"), [("Mean", 5), ("Tweedie", 5), ("none", 5)])
def test_a_drift_takes_one_evaluation(step, last_step, calls):
    seen = []

    def v(x, t):
        seen.append(t[0].item())
        return -x

    settings = Stochastic(last_step=last_step)
    evaluation = Evaluation(sampler=step, sampler_steps=calls, sde=settings)
    x = torch.zeros(2, 3, dtype=torch.float64)
    make_sampler(evaluation, DEFAULT)(v, x, lambda k: x)
    last = last_step != "none"
    assert len(seen) == (calls - last) * (2 if step == "heun_sde" else 1) + last
    assert seen[0] == 0 and seen[-1] == pytest.approx(0.96 if last else seen[-1])


@every_step
def test_a_sample_does_not_depend_on_its_batch(step):
    """Each step's noise is keyed by the step and by the sample's own index."""
    evaluation = Evaluation(sampler=step, sampler_steps=6, sde=Stochastic(form="SBDM"))
    draw = make_sampler(evaluation, DEFAULT)

    def samples(indices):
        def noise(step):
            return torch.from_numpy(normal_per_index(3, f"sample/{step}", indices, (2,)))

        x = torch.from_numpy(normal_per_index(3, "sample", indices, (2,)))
        return draw(partial(gaussian.velocity, PATHS["Linear"]), x, noise).numpy()

    whole = samples(range(20))
    assert np.array_equal(np.concatenate([samples(range(0, 7)), samples(range(7, 20))]), whole)
    assert len(np.unique(whole)) == whole.size


@pytest.mark.parametrize("name", ["noise", "score"])
@every_path
def test_a_network_that_predicts_noise_or_score_samples_the_same(path, name):
    """The samples are equal all the way from noise to data, through the singular ends."""
    v = partial(gaussian.velocity, path)

    def model(x, t, label):
        point = path.at(t, x)
        form = {"noise": point.noise_from_velocity, "score": point.score_from_velocity}[name]
        return form(v(x, t), x)

    transport = Transport(path, PREDICTIONS[name])
    field = transport.velocity(model)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    noise = [torch.sin(x + k) for k in range(250)].__getitem__
    for sampler in ("heun", "heun_sde"):
        draw = make_sampler(Evaluation(sampler=sampler, sampler_steps=250), transport)
        actual = draw(lambda x, t: field(x, t, None), x, noise)
        torch.testing.assert_close(actual, draw(v, x, noise))


def mean_of_data(path, x, t):
    """E[x_1 | x_t] by linear regression."""
    mean, variance = gaussian.moments(path, t, x)
    slope = path.at(t, x).alpha * gaussian.SCALE**2 / variance
    return gaussian.MEAN + slope * (x - mean)


@every_path
def test_a_network_that_predicts_data_has_the_velocity_of_the_path_before_the_clip(path):
    x = torch.linspace(-2, 2, 20, dtype=torch.float64)[:, None]
    t = torch.linspace(0, 0.95, 20, dtype=torch.float64)
    field = Transport(path, PREDICTIONS["data"]).velocity(lambda x, t, _: mean_of_data(path, x, t))
    torch.testing.assert_close(
        field(x, t, None), gaussian.velocity(path, x, t), rtol=1e-11, atol=1e-12
    )


@every_path
@pytest.mark.parametrize("sampler", ["heun", "heun_sde"])
def test_a_network_that_predicts_data_ends_at_its_prediction(path, sampler):
    """Samples have the moments of E[x_1 | x_t] at t = 0.95, where the last step begins."""
    transport = Transport(path, PREDICTIONS["data"])
    field = transport.velocity(lambda x, t, _: mean_of_data(path, x, t))
    sde = Stochastic(last_step="Tweedie") if sampler == "heun_sde" else Stochastic()
    draw = make_sampler(Evaluation(sampler=sampler, sampler_steps=500, sde=sde), transport)
    actual = moments(lambda x, noise: draw(lambda x, t: field(x, t, None), x, noise), 499)
    t = torch.tensor([0.95], dtype=torch.float64)
    variance = gaussian.moments(path, t, t)[1].item()
    covariance = path.at(t, t).alpha.item() * gaussian.SCALE**2
    assert actual == pytest.approx((gaussian.MEAN, covariance**2 / variance), rel=0.01)
