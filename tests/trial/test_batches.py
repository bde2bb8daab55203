import numpy as np
import pytest
import torch

from darbench.data import load
from darbench.trial.batches import Batches
from tests.trial.runs import begin


def batches(seed=0, batch=64, dropout=0.1):
    return Batches(load("digits"), batch, dropout, seed)


def test_a_batch_is_a_function_of_seed_and_step_whatever_was_drawn_before():
    straight, mixed = batches(), batches()
    wanted = [straight(step) for step in range(1, 60)]
    for step in (50, 3, 51, 23, 24, 1):
        assert all(map(torch.equal, mixed(step), wanted[step - 1]))
    assert not torch.equal(batches(seed=1)(1)[2], wanted[0][2])


def test_variants_of_one_pair_id_see_the_same_batches():
    runs = [begin(name, params=params) for name, params in (("add", {}), ("hyper", {}))]
    for step in (1, 2):
        assert all(map(torch.equal, *(run.batches(step) for run in runs)))
    other = begin(pair_id=1).batches(1)
    assert not any(map(torch.equal, other, runs[0].batches(1)))


def test_every_epoch_is_a_new_permutation_and_batches_run_across_its_end():
    index = load("digits").order(seed=0, positions=range(4400))
    epochs = index[: 3 * 1437].reshape(3, 1437)
    for epoch in epochs:
        assert np.array_equal(np.sort(epoch), np.arange(1437))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], np.arange(1437))


def test_a_batch_may_be_larger_than_an_epoch():
    index = load("digits").order(seed=0, positions=range(3000))
    assert np.bincount(index).min() == 2 and np.bincount(index).max() == 3


def test_images_keep_their_labels_and_noise_and_time_are_standard():
    data, made = load("digits"), batches(dropout=0.0)
    x1, label, x0, t = made(3)
    index = data.order(seed=0, positions=range(128, 192))
    pixels = data.train_images[index][..., 0] / np.float32(127.5) - 1
    assert np.allclose(x1[:, 0].numpy(), pixels, atol=1e-6)
    assert np.array_equal(label.numpy(), data.train_labels[index])
    drawn = [made(step) for step in range(1, 40)]
    noise = torch.cat([x0 for _, _, x0, _ in drawn])
    times = torch.cat([t for *_, t in drawn])
    assert (x0.shape, t.shape, x0.dtype, t.dtype) == (
        x1.shape,
        (64,),
        torch.float32,
        torch.float32,
    )
    assert noise.mean().abs() < 0.01 and noise.std() == pytest.approx(1, abs=0.01)
    assert 0 <= times.min() < 0.01 and 0.99 < times.max() < 1
    assert times.mean() == pytest.approx(0.5, abs=0.03)


def test_dropped_labels_become_the_null_class_and_change_nothing_else():
    kept, some = batches(dropout=0.0), batches(dropout=0.25)
    dropped = 0
    for step in range(1, 40):
        (x1, label, x0, t), (y1, other, y0, s) = kept(step), some(step)
        assert torch.equal(x1, y1) and torch.equal(x0, y0) and torch.equal(t, s)
        null = other == 10
        assert torch.equal(other[~null], label[~null])
        dropped += null.sum().item()
    assert dropped / (39 * 64) == pytest.approx(0.25, abs=0.03)
    assert (batches(dropout=0.0)(1)[1] < 10).all()
