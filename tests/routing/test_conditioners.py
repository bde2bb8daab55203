"""DAR's queries depend on the timestep or the class as their formulas say."""

import math

import pytest
import torch

from darbench.routing.conditioners import CONDITIONERS
from darbench.testing.inputs import conditions, outputs, randomise, reads
from tests.make.models import routing_of

READERS, WIDTH, BATCH = 5, 16, 3

every_name = pytest.mark.parametrize("name", CONDITIONERS)


def random_conditioner(name):
    made = CONDITIONERS[name](READERS, WIDTH).double()
    randomise(made, std=1.0)
    return made


def static_queries():
    return torch.stack(outputs(READERS - 1, 1, 1, WIDTH)).flatten(1)  # (R, D)


def by_the_formula(name, made, w, cond):
    """Compute q of one reader and one sample at a time."""
    q = torch.empty(READERS, BATCH, WIDTH, dtype=torch.float64)
    for reader in range(READERS):
        for sample in range(BATCH):
            time, t, y = cond.time[sample].item(), cond.t[sample], cond.y[sample]
            own = w[reader]
            if name == "reuse":
                added = t
            elif name == "projection":
                added = made.e_t @ t
            elif name == "label":
                added = made.e_y @ y
            elif name == "bins":
                added = made.table[min(math.floor(8 * time), 7), reader]
            elif name == "fourier":
                a, b = made.coefficients[reader].chunk(2)
                k = range(1, 5)
                added = sum(math.cos(math.pi * n * time) * a[n - 1] for n in k)
                added = added + sum(math.sin(math.pi * n * time) * b[n - 1] for n in k)
            else:
                film = made.to_film.weight @ (t / (1 + torch.exp(-t))) + made.to_film.bias
                gamma, beta = film[:WIDTH], film[WIDTH:]
                added = gamma * own + beta
            q[reader, sample] = own + added
    return q


@every_name
def test_queries_are_those_of_the_formula_for_any_weights(name):
    made, w = random_conditioner(name), static_queries()
    for seed in range(3):
        cond = conditions(BATCH, WIDTH, seed=seed)
        found, wanted = made(w, cond), by_the_formula(name, made, w, cond)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@every_name
def test_queries_start_as_the_static_ones_or_say_they_do_not(name):
    w, cond = static_queries(), conditions(BATCH, WIDTH)
    made = CONDITIONERS[name](READERS, WIDTH).double()
    static = w.unsqueeze(1).expand(-1, BATCH, -1)
    assert torch.equal(made(w, cond), static) == made.starts_static
    if not made.starts_static:  # the paper's form does, when the timestep embedding is zero
        assert torch.equal(made(w, cond._replace(t=torch.zeros_like(cond.t))), static)


@every_name
def test_each_query_is_of_its_own_sample(name):
    made, w, cond = random_conditioner(name), static_queries(), conditions(BATCH, WIDTH)
    order = torch.tensor([2, 0, 1])
    moved = made(w, type(cond)(*(x[order] for x in cond)))
    torch.testing.assert_close(moved, made(w, cond)[:, order], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("time", "cell"), [(0.0, 0), (0.124, 0), (0.125, 1), (0.5, 4), (0.999, 7), (1.0, 7)]
)
def test_bins_are_equal_and_the_last_holds_the_end(time, cell):
    made, cond = random_conditioner("bins"), conditions(1, WIDTH)
    found = made(static_queries(), cond._replace(time=torch.tensor([time], dtype=torch.float64)))
    torch.testing.assert_close(found[:, 0], static_queries() + made.table[cell])


def test_the_ends_of_time_may_differ_in_a_fourier_series():
    made, cond = random_conditioner("fourier"), conditions(2, WIDTH)
    q = made(static_queries(), cond._replace(time=torch.tensor([0.0, 1.0]).double()))
    assert (q[:, 0] != q[:, 1]).all()


@every_name
def test_dar_reads_with_the_conditioned_query(name):
    """The gain of the reader's keys multiplies it, and one source needs none."""
    routing = routing_of(("dar", {"query": "static_t", "t_source": name, "history": "full"}))
    randomise(routing.double())
    v, cond = outputs(), conditions()
    q = routing.gain.unsqueeze(1) * routing.conditioner(routing.w, cond)
    for reader, h in enumerate(reads(routing, v, cond)):
        values = torch.stack(v[: reader + 1])  # J B T D
        keys = torch.nn.functional.rms_norm(values, (WIDTH,), eps=1e-6)
        alpha = torch.softmax(torch.einsum("bd,jbtd->jbt", q[reader], keys) / 4, dim=0)
        wanted = torch.einsum("jbt,jbtd->btd", alpha, values)
        torch.testing.assert_close(h, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("reuse", 0),
        ("projection", 256),
        ("label", 256),
        ("bins", 8 * 5 * 16),
        ("fourier", 5 * 8 * 16),
        ("film", 2 * 256 + 32),
    ],
)
def test_parameters(name, count):
    assert sum(p.numel() for p in CONDITIONERS[name](READERS, WIDTH).parameters()) == count
