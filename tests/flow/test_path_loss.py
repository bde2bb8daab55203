import torch

from darbench.flow.loss import velocity_loss
from darbench.flow.path import interpolate, velocity


def ends(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *shape, generator=generator, dtype=torch.float64)


def test_the_path_runs_straight_from_noise_at_0_to_data_at_1():
    x0, x1 = ends(3, 2, 4, 4)
    t = torch.tensor([0.0, 0.25, 1.0], dtype=torch.float64)
    x = interpolate(x0, x1, t)
    assert torch.equal(x[0], x0[0]) and torch.equal(x[2], x1[2])
    torch.testing.assert_close(x[1], 0.75 * x0[1] + 0.25 * x1[1], rtol=1e-14, atol=1e-15)


def test_the_velocity_is_the_derivative_of_the_path():
    x0, x1 = ends(3, 2, 4, 4)
    t, h = torch.rand(3, dtype=torch.float64), 0.1
    slope = (interpolate(x0, x1, t + h) - interpolate(x0, x1, t - h)) / (2 * h)
    torch.testing.assert_close(velocity(x0, x1), slope, rtol=1e-12, atol=1e-13)


def test_the_loss_is_the_mean_square_error_of_each_sample():
    x0, x1 = ends(3, 2, 4, 4)
    t, label = torch.rand(3, dtype=torch.float64), torch.tensor([4, 0, 2])
    seen = []

    def model(x, t, label):
        seen.extend((x, t, label))
        return 2 * x + t.view(-1, 1, 1, 1) + label.view(-1, 1, 1, 1)

    loss = velocity_loss(model, x1, label, x0, t)
    assert torch.equal(seen[1], t) and torch.equal(seen[2], label)
    for i in range(3):
        x = (1 - t[i]) * x0[i] + t[i] * x1[i]
        torch.testing.assert_close(seen[0][i], x, rtol=1e-13, atol=1e-14)
        error = 2 * x + t[i] + label[i] - (x1[i] - x0[i])
        torch.testing.assert_close(loss[i], (error**2).mean(), rtol=1e-13, atol=1e-14)


def test_the_true_velocity_has_no_loss():
    x0, x1 = ends(3, 2, 4, 4)
    t = torch.rand(3, dtype=torch.float64)
    assert not velocity_loss(lambda *_: x1 - x0, x1, torch.zeros(3), x0, t).any()
