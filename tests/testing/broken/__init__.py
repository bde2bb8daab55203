"""Routings with one mistake each.

Their first line of documentation names the mistake, `caught_by` the check meant for it, and
`says` what its message must contain.
"""

from tests.testing.broken import (
    conditions,
    construction,
    cost,
    depth,
    numerics,
    outside,
    reading,
    state,
    training,
    training_mode,
)

FILES = (
    construction,
    state,
    reading,
    depth,
    conditions,
    numerics,
    training,
    training_mode,
    cost,
    outside,
)
BROKEN = [
    member
    for file in FILES
    for member in vars(file).values()
    if isinstance(member, type)
    and member.__module__ == file.__name__
    and "caught_by" in vars(member)
]
