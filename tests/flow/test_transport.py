import pytest
import torch

from darbench.flow.path import PATHS
from darbench.flow.transport import DEFAULT, PREDICTIONS, WEIGHTINGS, Transport

every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
LABEL = torch.zeros(3)


def ends(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


def times():
    return torch.tensor([0.11, 0.5, 0.93], dtype=torch.float64)


def forms(point, x0, x1):
    """What a network answers that is right, by what it predicts."""
    v = point.velocity(x0, x1)
    return {"velocity": v, "noise": x0, "score": -x0 / point.sigma, "data": x1}


def test_the_loss_is_the_mean_square_error_of_each_sample():
    x0, x1 = ends(3, 2, 4, 4)
    t, label = times(), torch.tensor([4, 0, 2])
    seen = []

    def model(x, t, label):
        seen.extend((x, t, label))
        return 2 * x + t.view(-1, 1, 1, 1) + label.view(-1, 1, 1, 1)

    loss = DEFAULT.loss_at(model, x1, label, x0, t)
    assert torch.equal(seen[1], t) and torch.equal(seen[2], label)
    for i in range(3):
        x = (1 - t[i]) * x0[i] + t[i] * x1[i]
        torch.testing.assert_close(seen[0][i], x, rtol=1e-13, atol=1e-14)
        error = 2 * x + t[i] + label[i] - (x1[i] - x0[i])
        torch.testing.assert_close(loss[i], (error**2).mean(), rtol=1e-13, atol=1e-14)


@every_path
@pytest.mark.parametrize("name", PREDICTIONS)
def test_the_truth_has_no_loss(path, name):
    x0, x1 = ends(3, 2, 4, 4)
    point = path.at(times(), x0)
    truth = forms(point, x0, x1)[name]
    transport = Transport(path, PREDICTIONS[name])
    loss = transport.loss_at(lambda *_: truth, x1, LABEL, x0, times())
    assert loss.max() < 1e-28


@every_path
@pytest.mark.parametrize("name", PREDICTIONS)
def test_every_prediction_stands_for_the_same_velocity(path, name):
    """A network that answers rightly in any form has the true velocity."""
    x0, x1 = ends(3, 2, 4, 4)
    point = path.at(times(), x0)
    x, v = point.x(x0, x1), point.velocity(x0, x1)
    truth = forms(point, x0, x1)[name]
    model = Transport(path, PREDICTIONS[name]).velocity(lambda *_: truth)
    torch.testing.assert_close(model(x, times(), LABEL), v, rtol=1e-11, atol=1e-11)


@every_path
@pytest.mark.parametrize("name", ["noise", "score"])
def test_the_velocity_weighting_makes_it_the_loss_of_the_velocity(path, name):
    x0, x1 = ends(3, 2, 4, 4)

    def model(x, t, label):
        return torch.sin(3 * x) + t.view(-1, 1, 1, 1)

    transport = Transport(path, PREDICTIONS[name], WEIGHTINGS["velocity"])
    u = times()
    wanted = transport.velocity_loss(model, x1, LABEL, x0, transport.time(u))
    torch.testing.assert_close(
        transport.loss(model, x1, LABEL, x0, u), wanted, rtol=1e-9, atol=1e-12
    )


@every_path
def test_a_prediction_of_data_has_the_losses_of_its_velocity_before_the_clip(path):
    x0, x1 = ends(3, 2, 4, 4)

    def v(x, t, label):
        return torch.sin(3 * x) + t.view(-1, 1, 1, 1)

    def data(x, t, label):
        return path.at(t, x).data_from_velocity(v(x, t, label), x)

    wanted = Transport(path).loss_at(v, x1, LABEL, x0, times())
    transport = Transport(path, PREDICTIONS["data"])
    for loss in (transport.loss_at, transport.velocity_loss):
        torch.testing.assert_close(loss(data, x1, LABEL, x0, times()), wanted, rtol=1e-11, atol=0)


def test_near_the_data_the_losses_of_a_prediction_of_data_are_those_of_jit():
    """There both velocities, the true one too, are (x_1 - x_t) / max(1 - t, 0.05)."""
    x0, x1 = ends(4, 2, 4, 4)
    t = torch.tensor([0.94, 0.97, 0.999, 1.0], dtype=torch.float64)
    transport = Transport(prediction=PREDICTIONS["data"])
    x = transport.path.at(t, x1).x(x0, x1)
    left = (1 - t).clamp_min(0.05).view(-1, 1, 1, 1)
    wanted = ((x1 - x) / left - (torch.cos(x) - x) / left).square().flatten(1).mean(1)
    for loss in (transport.loss_at, transport.velocity_loss):
        actual = loss(lambda x, t, label: torch.cos(x), x1, torch.zeros(4), x0, t)
        torch.testing.assert_close(actual, wanted, rtol=1e-11, atol=0)


@every_path
def test_the_data_themselves_have_no_loss_at_any_time(path):
    x0, x1 = ends(21, 2, 4, 4)
    transport = Transport(path, PREDICTIONS["data"])
    t = transport.time(torch.linspace(0, 1, 21, dtype=torch.float64))
    for loss in (transport.loss_at, transport.velocity_loss):
        assert loss(lambda *_: x1, x1, torch.zeros(21), x0, t).max() < 1e-24


@every_path
def test_the_likelihood_weighting_is_the_square_of_the_diffusion(path):
    """The loss of a score is D |s - s*|^2 with D half of g^2; w |sigma s + x_0|^2 is that for
    w = D / sigma^2."""
    x0, x1 = ends(3, 5)
    point = path.at(times(), x0)
    transport = Transport(path, PREDICTIONS["score"], WEIGHTINGS["likelihood"])
    loss = transport.loss_at(lambda x, t, label: 2 * x, x1, LABEL, x0, times())
    error = 2 * point.x(x0, x1) + x0 / point.sigma
    torch.testing.assert_close(loss, (point.drift_variance * error**2).mean(1))


@pytest.mark.parametrize(
    ("path", "prediction", "train", "sample"),
    [
        ("Linear", "velocity", (0, 1), (0, 1)),
        ("GVP", "velocity", (0, 1), (0, 1)),
        ("VP", "velocity", (0, 1 - 1e-5), (0, 1 - 1e-3)),
        ("Linear", "noise", (1e-3, 1 - 1e-3), (1e-3, 1 - 1e-3)),
        ("GVP", "score", (1e-3, 1 - 1e-3), (1e-3, 1 - 1e-3)),
        ("VP", "score", (0, 1 - 1e-5), (0, 1 - 1e-3)),
        ("Linear", "data", (0, 1), (0, 0.95)),
        ("VP", "data", (0, 1 - 1e-5), (0, 0.95)),
    ],
)
def test_times_are_the_official_ones(path, prediction, train, sample):
    transport = Transport(PATHS[path], PREDICTIONS[prediction])
    assert (transport.train_span, transport.sample_span) == (train, sample)
    u = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    assert transport.time(u).tolist() == pytest.approx([train[0], sum(train) / 2, train[1]])


@every_path
@pytest.mark.parametrize("prediction", PREDICTIONS.values(), ids=PREDICTIONS)
@pytest.mark.parametrize("weight", WEIGHTINGS.values(), ids=WEIGHTINGS)
def test_no_time_of_the_span_is_singular(path, prediction, weight):
    x0, x1 = ends(2, 2, 4, 4).float()
    transport, u = Transport(path, prediction, weight), torch.tensor([0.0, 1.0])
    with torch.no_grad():
        for loss, t in ((transport.loss, u), (transport.velocity_loss, transport.time(u))):
            actual = loss(lambda x, t, label: 2 * x, x1, LABEL, x0, t)
            # A noise has its own weights; others have none, with which the loss at t = 0 is inf.
            weighted = prediction in (PREDICTIONS["noise"], PREDICTIONS["score"])
            if weighted or weight is WEIGHTINGS["none"]:
                assert actual.isfinite().all()


def test_the_default_is_linear_and_takes_times_as_they_are():
    u = torch.rand(50)
    assert torch.equal(DEFAULT.time(u), u)
    x0, x1 = ends(3, 4)
    point = DEFAULT.path.at(times(), x0)
    assert torch.equal(point.velocity(x0, x1), x1 - x0)
