import numpy as np
import pytest
import torch

from darbench.data import base, load
from darbench.metrics.scores import validation
from darbench.metrics.scores.validation import loss_of_items, validation_loss
from darbench.records.rules import MARGIN


@pytest.fixture(scope="module")
def data():
    return load("digits")


def model(x, t, label):
    """Some velocity that depends on everything."""
    return torch.sin(3 * x) * t.view(-1, 1, 1, 1) + 0.1 * label.view(-1, 1, 1, 1)


def by_a_loop(data, draws):
    """Time and loss of every image and draw, one by one, in float64."""
    losses = []
    for draw in range(draws):
        x0, t = validation._draw(draw, (len(data.val_images), 1, 8, 8))
        for i, image in enumerate(data.val_images):
            x1 = image[None, :, :, 0].astype(np.float64) / 127.5 - 1
            time = float(t[i])
            x = time * x1 + (1 - time) * x0[i]
            out = np.sin(3 * x) * time + 0.1 * data.val_labels[i]
            losses.append((time, ((out - (x1 - x0[i])) ** 2).mean()))
    return np.array(losses)


@pytest.mark.parametrize("draws", [1, 3])
def test_the_loss_and_its_bins_are_those_of_a_plain_loop(data, draws):
    loss = validation_loss(model, data, draws)
    times, losses = by_a_loop(data, draws).T
    assert loss.total == pytest.approx(losses.mean(), rel=1e-6)
    wanted = [losses[(times >= b / 4) & (times < (b + 1) / 4)].mean() for b in range(4)]
    assert loss.bins == pytest.approx(wanted, rel=1e-6)
    assert loss.images == pytest.approx(losses.reshape(draws, -1).mean(axis=0), rel=1e-5)


def test_resampled_losses_have_the_error_of_a_mean_and_always_the_same_images():
    rng = np.random.default_rng(0)
    one = rng.gamma(4.0, size=360)
    two = 1.1 * one + 0.1 * rng.gamma(4.0, size=360)
    found = np.array(validation.resampled_losses([*one]))
    assert len(found) == validation.RESAMPLES
    assert found.mean() == pytest.approx(one.mean(), rel=0.01)
    assert found.std(ddof=1) == pytest.approx(one.std() / np.sqrt(360), rel=0.15)
    # Of two models on the same images, by the linear form of a log ratio of means.
    ratio = np.log(validation.resampled_losses([*two])) - np.log(found)
    linear = two / two.mean() - one / one.mean()
    assert ratio.std(ddof=1) == pytest.approx(linear.std() / np.sqrt(360), rel=0.15)
    assert ratio.std() < 0.3 * np.log(found).std()


def test_every_draw_has_one_time_in_each_cell_and_its_own_noise():
    noise = []
    for draw in range(3):
        x0, t = validation._draw(draw, (360, 1, 8, 8))
        assert x0.dtype == t.dtype == np.float32
        assert t.min() >= MARGIN and t.max() <= 1 - MARGIN
        cells = np.sort((t.astype(np.float64) - MARGIN) / (1 - 2 * MARGIN) * 360)
        assert np.abs(cells - (np.arange(360) + 0.5)).max() < 0.5001
        assert abs(np.corrcoef(t, np.arange(360))[0, 1]) < 0.2  # not in the order of the images
        noise.append(x0)
    assert len(np.unique(np.stack(noise))) > 0.99 * 3 * 360 * 64
    assert np.std(noise) == pytest.approx(1, abs=0.01)


def test_it_is_the_same_every_time_whatever_the_global_generators(data):
    torch.manual_seed(1)
    np.random.seed(1)
    one = validation_loss(model, data, 2)
    torch.manual_seed(2)
    np.random.seed(2)
    assert validation_loss(model, data, 2) == one


@pytest.mark.parametrize("batch", [7, 100])
def test_it_does_not_depend_on_the_batch(data, monkeypatch, batch):
    whole = validation_loss(model, data, 2)
    monkeypatch.setattr(validation, "BATCH", batch)
    parts = validation_loss(model, data, 2)
    assert parts.total == pytest.approx(whole.total, rel=1e-9)
    assert parts.bins == pytest.approx(whole.bins, rel=1e-9)


def test_more_draws_begin_with_the_same_ones(data):
    """The mean over two draws is the mean of the means, as all draws have as many images."""
    single = []

    def recording(x, t, label):
        single.append((x, t))
        return model(x, t, label)

    validation_loss(recording, data, 2)
    validation_loss(recording, data, 1)
    assert torch.equal(single[0][0], single[2][0]) and torch.equal(single[0][1], single[2][1])


def test_no_gradient_is_kept_and_a_loss_that_is_not_finite_is_told(data):
    weight = torch.full((), float("nan"), requires_grad=True)
    loss = validation_loss(lambda x, t, label: weight * x, data, 1)
    assert np.isnan(loss.total) and weight.grad is None


def test_images_are_used_in_the_models_range(data):
    """With the velocity x_1 - x_0 = (x_1 - x_t) / (1 - t) there is no loss."""
    x1 = torch.from_numpy(base.to_model_range(data.val_images))

    def truth(x, t, label):
        return (x1 - x) / (1 - t).view(-1, 1, 1, 1)

    assert validation_loss(truth, data, 1).total < 1e-4


def test_what_is_apart_is_measured_as_the_validation_images_are(data):
    items = data.val(np.arange(data.n_val))
    assert loss_of_items(model, *items, 2) == validation_loss(model, data, 2)
    fewer = loss_of_items(model, items[0][:40], torch.full((40,), 10), 1)
    assert len(fewer.images) == 40 and fewer.total > validation_loss(model, data, 1).total
