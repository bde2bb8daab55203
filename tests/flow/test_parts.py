"""A batch in parts is the batch."""

import pytest
import torch

from darbench.flow import parts
from darbench.testing.inputs import images, randomise
from tests.make.models import sit


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_model_answers_the_same_in_parts(size, monkeypatch):
    monkeypatch.setattr(parts, "TOKENS", 16 * size)
    model, seen = sit().double(), []
    randomise(model)
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    x, t, label = (a.repeat_interleave(3, 0)[:5] for a in images())
    found = parts.in_parts(model, 16, "cpu")(x, t, label)
    assert seen == [min(size, 5 - start) for start in range(0, 5, size)]
    torch.testing.assert_close(found, model(x, t, label), rtol=1e-12, atol=1e-12)


def test_on_a_gpu_and_for_many_tokens_a_sample_is_never_split():
    model = sit()
    assert parts.in_parts(model, 16, "cuda") is model
    x, t, label = images(dtype=torch.float32)
    whole = parts.in_parts(model, 10**6, "cpu")(x, t, label)
    torch.testing.assert_close(whole, model(x, t, label), rtol=1e-6, atol=1e-6)
