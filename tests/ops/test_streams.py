import pytest
import torch

from darbench.ops.streams import mix_streams


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)), dtype=dtype)


@pytest.mark.parametrize("weights", [(3, 4), (2, 5, 3, 4)], ids=["constant", "per token"])
def test_every_new_stream_is_the_weighted_sum_of_the_old(weights):
    w, x = random(*weights, dtype=torch.float64), random(2, 5, 4, 8, dtype=torch.float64)
    found = mix_streams(w, x)
    w = w.expand(2, 5, 3, 4)
    for r in range(3):
        wanted = sum(w[..., r, s, None] * x[:, :, s] for s in range(4))
        torch.testing.assert_close(found[:, :, r], wanted, rtol=1e-13, atol=1e-13)


def test_streams_keep_their_precision_under_autocast():
    w, x = random(2, 5, 4, 4), random(2, 5, 4, 8)
    wanted = mix_streams(w, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(mix_streams(w, x), wanted)
        assert torch.equal(mix_streams(w.double(), x), wanted)


def test_it_runs_without_storage_on_the_meta_device():
    """The meta device has no autocast; FLOPs are counted there."""
    with torch.device("meta"):
        assert mix_streams(torch.empty(3, 4), torch.empty(2, 5, 4, 8)).shape == (2, 5, 3, 8)


def test_alike_streams_stay_alike_under_rows_that_sum_to_one():
    x = random(2, 5, 1, 8, dtype=torch.float64).expand(2, 5, 4, 8)
    w = torch.softmax(random(2, 5, 4, 4, dtype=torch.float64), dim=-1)
    torch.testing.assert_close(mix_streams(w, x), x, rtol=1e-14, atol=1e-14)
