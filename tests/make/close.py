"""Equality of numbers that two languages computed."""

import math


def close(one, two):
    """Whether two values agree to twelve digits, or are the same if they are no numbers."""
    if isinstance(one, float) and isinstance(two, int | float):
        return math.isclose(one, two, rel_tol=1e-12, abs_tol=1e-12)
    return one == two
