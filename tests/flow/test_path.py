import pytest
import torch

from darbench.flow.path import PATHS
from tests.flow import gaussian

every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
T = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)


def ends(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


@every_path
def test_a_path_runs_from_noise_to_data(path):
    start, end = (path.coefficients(torch.tensor(t, dtype=torch.float64)) for t in (0.0, 1.0))
    assert start.alpha < 0.01 and start.sigma > 0.9999
    assert (start.alpha < 1e-15) == path.pure_noise
    assert end.alpha == pytest.approx(1) and end.sigma == pytest.approx(0, abs=1e-15)


@every_path
def test_the_derivatives_are_those_of_autograd(path):
    t = T.clone().requires_grad_()
    point = path.coefficients(t)
    for value, slope in ((point.alpha, point.d_alpha), (point.sigma, point.d_sigma)):
        (wanted,) = torch.autograd.grad(value.sum(), t, retain_graph=True)
        torch.testing.assert_close(slope, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("Linear", lambda p: p.alpha + p.sigma),
        ("GVP", lambda p: p.alpha**2 + p.sigma**2),
        ("VP", lambda p: p.alpha**2 + p.sigma**2),
    ],
)
def test_what_each_path_preserves(name, norm):
    kept = norm(PATHS[name].coefficients(T))
    torch.testing.assert_close(kept, torch.ones_like(T), rtol=1e-14, atol=0)


def test_vp_is_that_of_the_score_sde():
    """alpha = exp(-1/2 integral of beta from t to 1), beta linear from 20 at the noise to 0.1."""
    s = torch.linspace(0, 1, 2001, dtype=torch.float64)
    for t in (0.0, 0.3, 0.9):
        grid = t + (1 - t) * s
        beta = 0.1 + (1 - grid) * (20 - 0.1)
        log_alpha = -torch.trapezoid(beta, grid) / 2
        point = PATHS["VP"].coefficients(torch.tensor([t], dtype=torch.float64))
        assert point.alpha.log().item() == pytest.approx(log_alpha.item(), rel=1e-9)
        assert point.drift_variance.item() == pytest.approx(beta[0].item() / 2, rel=1e-9)


def test_vp_keeps_its_digits_near_the_data_in_float32():
    """Computed as 1 - alpha^2, the variance would be 0 there."""
    near = torch.tensor([1 - 1e-5])
    wanted = PATHS["VP"].coefficients(near.double())
    for actual, value in zip(PATHS["VP"].coefficients(near), wanted, strict=True):
        torch.testing.assert_close(actual.double(), value, rtol=1e-6, atol=0)


@every_path
def test_the_velocity_is_the_derivative_of_the_path(path):
    x0, x1 = ends(25, 2, 4, 4)
    h = 1e-5
    ahead, behind = (path.at(T + s, x0).x(x0, x1) for s in (h, -h))
    slope = (ahead - behind) / (2 * h)
    torch.testing.assert_close(path.at(T, x0).velocity(x0, x1), slope, rtol=1e-6, atol=1e-6)


@every_path
def test_velocity_noise_score_and_data_are_one_function(path):
    x0, x1 = ends(25, 3)
    point = path.at(T, x0)
    x, v = point.x(x0, x1), point.velocity(x0, x1)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(point.noise_from_velocity(v, x), x0, **close)
    torch.testing.assert_close(point.data_from_velocity(v, x), x1, **close)
    score = point.score_from_velocity(v, x)
    torch.testing.assert_close(score, -x0 / point.sigma, **close)
    torch.testing.assert_close(point.velocity_from_noise(x0, x), v, **close)
    torch.testing.assert_close(point.velocity_from_score(score, x), v, **close)
    drift = point.d_alpha / point.alpha * x + point.drift_variance * score
    torch.testing.assert_close(drift, v, **close)


def log_density(path, x, t):
    """Log density of x_t for Gaussian data."""
    mean, variance = gaussian.moments(path, t, x)
    return -((x - mean) ** 2) / (2 * variance) - variance.log() / 2


@every_path
def test_the_score_of_gaussian_data_is_that_of_its_density(path):
    x = ends(25, 3)[0].requires_grad_()
    density, v = log_density(path, x, T), gaussian.velocity(path, x, T)
    (score,) = torch.autograd.grad(density.sum(), x)
    actual = path.at(T, x).score_from_velocity(v, x)
    torch.testing.assert_close(actual, score, rtol=1e-9, atol=1e-10)


@every_path
def test_the_velocity_of_gaussian_data_keeps_the_density(path):
    """The continuity equation: d log p / dt = -div v - v . score."""
    x, t = ends(25, 1)[0].requires_grad_(), T.clone().requires_grad_()
    density, v = log_density(path, x, t), gaussian.velocity(path, x, t)
    score, rate = torch.autograd.grad(density.sum(), (x, t), retain_graph=True)
    (divergence,) = torch.autograd.grad(v.sum(), x)
    wanted = (-divergence - v * score)[:, 0]
    torch.testing.assert_close(rate, wanted, rtol=1e-8, atol=1e-9)
