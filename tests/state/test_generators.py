import random

import numpy as np
import torch

from darbench.state.generators import borrowed, foreign_positions, positions


def everywhere():
    return positions() | foreign_positions()


def draw():
    return torch.rand(()).item(), np.random.random(), random.random()


def test_within_the_context_all_draw_from_the_seed_and_after_it_go_on_as_before():
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    before = everywhere()
    with borrowed(2**63 + 7):
        one = draw()
    assert everywhere() == before
    with borrowed(2**63 + 7):
        assert draw() == one
    with borrowed(2**63 + 8):
        assert not set(draw()) & set(one)


def test_they_come_back_after_an_error():
    before = everywhere()
    try:
        with borrowed(1):
            draw()
            raise KeyError
    except KeyError:
        pass
    assert everywhere() == before


def test_a_position_moves_with_every_draw_of_its_own_generator_alone():
    for name, one in (
        ("torch", lambda: torch.rand(1)),
        ("numpy", lambda: np.random.rand()),
        ("Python's random", random.random),
    ):
        before = everywhere()
        one()
        after = everywhere()
        assert [n for n in after if after[n] != before[n]] == [name]
