import itertools
import random

import pytest

from darbench.analysis.transfer import transfer


def counted(one, other):
    """Pairs in the same order less those in the other, of all pairs: tau without ties."""
    pairs = itertools.combinations(range(len(one)), 2)
    signs = [1 if (one[i] < one[j]) == (other[i] < other[j]) else -1 for i, j in pairs]
    return sum(signs) / len(signs)


def test_it_is_kendalls_tau_of_what_both_have():
    rng = random.Random(0)
    one = {name: rng.random() for name in "abcdefgh"}
    other = {name: rng.random() for name in "cdefghij"}
    found = transfer(one, other)
    assert found.n == 6
    assert found.tau == pytest.approx(counted(*([b[n] for n in "cdefgh"] for b in (one, other))))
    assert -1 <= found.low <= found.tau <= found.high <= 1


def test_little_in_common_says_nothing_or_has_no_interval():
    three, four = ({n: k for k, n in enumerate(names)} for names in ("abc", "abcd"))
    assert transfer(three, four) is None
    assert transfer(four, four).tau == 1 and transfer(four, four).low is None
    assert transfer(four, dict.fromkeys("abcd", 1.0)) is None
