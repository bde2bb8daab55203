"""The symptoms, beside what plain addition makes of known sums and by finite differences."""

import numpy as np
import pytest
import torch

from darbench.diagnose.batch import Batch
from darbench.diagnose.record import outputs_of
from darbench.diagnose.symptoms import symptoms
from darbench.routing.base import Routing
from tests.diagnose.models import SITES, TIMES, TOKENS, WIDTH, batch_of, model_of

HALF = torch.tensor([0.5])


class Nudged(Routing):
    """A routing to whose j-th output something is added."""

    def __init__(self, inner, j, nudge):
        super().__init__(inner.sites, inner.width)
        self.inner, self.j, self.nudge = inner, j, nudge

    def begin(self, x, cond):
        return self.inner.begin(x + (self.nudge if self.j == 0 else 0), cond)

    def take(self, state, site):
        return self.inner.take(state, site)

    def write(self, state, site, v):
        return self.inner.write(state, site, v + (self.nudge if self.j == site + 1 else 0))


def losses_with(model, batch, j, nudge):
    """The loss of every sample at t = 0.5, with a nudge (B, T, D) of v_j."""
    inner = model.routing
    model.routing = Nudged(inner, j, nudge)
    with torch.no_grad():
        losses = batch.transport.velocity_loss(model, *batch.at(HALF))
    model.routing = inner
    return losses


@pytest.mark.parametrize("name", ["add", "dar", "hyper", "siamese"])
@pytest.mark.parametrize("j", [0, 3, SITES])
def test_the_gradient_by_an_output_is_that_of_finite_differences(name, j):
    """One sample as often as an output has numbers, each nudged in another one."""
    model, batch, size = model_of(name), batch_of(1), TOKENS * WIDTH
    found = symptoms(model, batch, HALF)["rms_grad_v"].values[0, j]
    many = Batch(*(x.expand(size, *x.shape[1:]) for x in batch[:3]))
    nudge = 1e-5 * torch.eye(size, dtype=torch.float64).view(size, TOKENS, WIDTH)
    up, down = (losses_with(model, many, j, s * nudge) for s in (1, -1))
    slopes = (up - down) / 2e-5
    assert found == pytest.approx(slopes.square().mean().sqrt().item(), rel=1e-6)


def test_of_add_the_gradient_by_what_a_block_hands_on_is_that_by_its_last_output():
    found = symptoms(model_of("add"), batch_of(), TIMES)
    np.testing.assert_allclose(
        found["rms_grad_z"].values, found["rms_grad_v"].values[:, ::2], rtol=1e-12
    )


def test_of_add_magnitudes_and_cosines_are_those_of_partial_sums():
    model, batch = model_of("add"), batch_of()
    v = torch.stack(outputs_of(model, *batch.points(TIMES)).v)
    z = v.cumsum(0)[::2].unflatten(1, (len(TIMES), -1))  # k t n T D
    found = symptoms(model, batch, TIMES)
    wanted = z.square().mean((2, 3, 4)).sqrt().T
    np.testing.assert_allclose(found["rms_z"].values, wanted, rtol=1e-12)
    unit = z / z.norm(dim=-1, keepdim=True)
    cosine = (unit[1:] * unit[:-1]).sum(-1).mean((2, 3)).T
    np.testing.assert_allclose(found["block_cosine"].values, cosine, rtol=1e-10)
    assert found["rms_z"].axes == ("t", "k") and found["rms_v"].axes == ("t", "j")


def test_the_error_of_a_root_is_that_over_samples():
    model, batch = model_of("add"), batch_of(6)
    found = symptoms(model, batch, TIMES[:1])["rms_z"]
    x = torch.stack(outputs_of(model, *batch.points(TIMES[:1])).h[::2])
    roots = (
        x.square().mean((2, 3)).sqrt()
    )  # nearly alike: their spread is the error to first order
    wanted = roots.std(-1) / 6**0.5
    np.testing.assert_allclose(found.error[0], wanted, rtol=0.2)


class Halved(Routing):
    """A routing whose reads are half of another's."""

    def __init__(self, inner):
        super().__init__(inner.sites, inner.width)
        self.inner = inner

    def begin(self, x, cond):
        return self.inner.begin(x, cond)

    def read(self, state, site):
        return self.inner.read(state, site) / 2

    def write(self, state, site, v):
        return self.inner.write(state, site, v)


def test_relative_gradients_are_the_same_for_reads_of_another_size():
    """Readers see no size, so that a mean differs from a sum in none of these."""
    model, batch = model_of("dar"), batch_of()
    before = symptoms(model, batch, TIMES)
    model.routing = Halved(model.routing)
    after = symptoms(model, batch, TIMES)
    np.testing.assert_allclose(after["rms_z"].values, before["rms_z"].values / 2, rtol=1e-3)
    for name in ("relative_grad_z", "relative_grad_v", "rms_grad_v", "rms_v"):
        np.testing.assert_allclose(after[name].values, before[name].values, rtol=1e-3)
