import torch

from darbench.testing.inputs import outputs, randomise, reads
from tests.make.models import routing_of


def mvsplit(**params):
    return routing_of(("mvsplit", params)).double()


def test_reads_are_those_of_the_recursion_for_any_gains():
    routing, v = mvsplit(), outputs(tokens=5)
    randomise(routing)
    wanted = [v[0]]
    for a, b, x in zip(routing.a, routing.b, v[1:], strict=True):
        s = wanted[-1]
        mean_v, mean_s = (sum(y.unbind(1)).unsqueeze(1) / 5 for y in (x, s))
        wanted.append(s + b * (x - mean_v) + a * (mean_v - mean_s))
    torch.testing.assert_close(reads(routing, v), wanted, rtol=1e-13, atol=1e-13)


def test_without_the_mean_gain_the_mean_over_tokens_stays_that_of_the_embedding():
    """It holds for outputs of low precision too."""
    routing, v = mvsplit(), outputs(tokens=5)
    randomise(routing)
    torch.nn.init.zeros_(routing.a)
    for given in (v, [v[0], *(x.bfloat16() for x in v[1:])]):
        for h in reads(routing, given):
            torch.testing.assert_close(h.mean(1), v[0].mean(1), rtol=1e-12, atol=1e-13)


def test_a_mean_gain_of_one_takes_the_outputs_mean():
    routing, v = mvsplit(), outputs(tokens=5)
    torch.nn.init.ones_(routing.a)
    for h, x in zip(reads(routing, v), v, strict=True):
        torch.testing.assert_close(h.mean(1), x.mean(1), rtol=1e-12, atol=1e-13)


def test_the_mean_starts_held_and_the_rest_at_its_gain():
    for gain in (1.0, 0.03):
        routing = mvsplit(gain=gain)
        assert (routing.a == 0).all()
        torch.testing.assert_close(routing.b, torch.full_like(routing.b, gain), rtol=1e-7, atol=0)
