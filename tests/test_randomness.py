import itertools
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from darbench import randomness as streams
from darbench.errors import BadInput
from darbench.randomness import normal_per_index, stream


def test_a_stream_is_the_same_whenever_and_wherever_it_is_drawn():
    here = stream(3, "noise", 7).random(4)
    stream(3, "noise", 8).random(100)
    assert np.array_equal(stream(3, "noise", 7).random(4), here)
    draw = "print(*map(repr, stream(3, 'noise', 7).random(4)))"
    code = f"from darbench.randomness import stream; {draw}"
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert there.stdout.split() == [repr(x) for x in here]


def test_the_first_numbers_are_those_of_this_version():
    """If this fails, every seeded result of earlier versions is another one."""
    assert stream(0, "noise", 1).integers(2**32, size=3).tolist() == [
        4186074151,
        2875158102,
        361067143,
    ]


@pytest.mark.parametrize("changed", ["standard_normal", "permutation", "integers", "random", ""])
def test_a_numpy_that_draws_otherwise_is_refused(monkeypatch, changed):
    class Other(np.random.Generator):
        """A generator that drops a draw before each of one distribution."""

        def __getattribute__(self, name):
            if name == changed:
                super().__getattribute__("bit_generator").advance(1)
            return super().__getattribute__(name)

    real = streams._generator
    monkeypatch.setattr(streams, "_generator", lambda *cell: Other(real(*cell).bit_generator))
    monkeypatch.setattr(streams, "_draw", streams._draw.__wrapped__)
    if not changed:
        assert stream(0, "noise").random() == real(0, "noise", 0).random()
        return
    with pytest.raises(BadInput, match=r"draws other random numbers .* earlier numpy"):
        stream(0, "noise")


def test_seed_name_and_index_each_make_another_stream():
    cells = itertools.product((0, 1, 11), ("noise", "data"), (0, 1, 11, "1/2", "a"))
    first = {cell: tuple(stream(*cell).integers(2**62, size=2)) for cell in cells}
    assert len(set(first.values())) == len(first)


def test_streams_of_neighbouring_steps_are_independent_and_normal():
    a, b = (stream(0, "noise", step).standard_normal(20_000) for step in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert stats.kstest(a, "norm").pvalue > 1e-3


@pytest.mark.parametrize("cuts", [[10], [3, 10], [1, 2, 9, 10]])
def test_noise_of_a_sample_is_the_same_in_any_batch(cuts):
    whole = normal_per_index(5, "sample", range(10), (2, 3))
    starts = [0, *cuts[:-1]]
    parts = [
        normal_per_index(5, "sample", range(a, b), (2, 3))
        for a, b in zip(starts, cuts, strict=True)
    ]
    assert whole.shape == (10, 2, 3) and whole.dtype == np.float32
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(np.unique(whole)) == whole.size
