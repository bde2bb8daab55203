import math

import pytest
import torch

from darbench.model.embed import TimestepEmbedder, sincos_positions


def test_timestep_features_are_128_cosines_then_128_sines_of_raw_t():
    embedder = TimestepEmbedder(16).double()
    seen = []
    embedder.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    t = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    embedder(t)
    for row, time in zip(seen[0].tolist(), t.tolist(), strict=True):
        angles = [time * math.exp(-math.log(1e4) * i / 128) for i in range(128)]
        wanted = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
        assert row == pytest.approx(wanted, abs=1e-7)  # the frequencies are float32


def test_positions_encode_the_column_first_then_the_row():
    width, side = 16, 3
    actual = sincos_positions(width, side)
    assert actual.shape == (side * side, width)
    for token, row in enumerate(actual.tolist()):
        wanted = []
        for position in (token % side, token // side):
            angles = [position / 1e4 ** (i / 4) for i in range(4)]
            wanted += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        assert row == pytest.approx(wanted, abs=1e-6)
