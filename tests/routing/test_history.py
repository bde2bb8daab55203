import math

import pytest

from darbench.routing.history import WINDOWS, additions, partitions, sizes
from tests.routing.source_sets import source_sets

SITES = (1, 2, 7, 8, 12)
SPANS = (1, 2, 3, 4, 5, 8, 20)


class Parts(tuple):
    """A stand-in for a sum of sublayer outputs: the indices that were added up."""

    def __add__(self, other):
        return Parts(tuple(self) + tuple(other))


def grown(history, span, sites):
    """The source sets of all readers, as the window grows and selects them."""
    grow, select = WINDOWS[history]
    kept = (Parts((0,)),)
    sets = [select(kept, 0, span)]
    for site in range(sites):
        kept = grow(kept, Parts((site + 1,)), site, span, sites)
        sets.append(select(kept, site + 1, span))
    return [[list(part) for part in sources] for sources in sets]


def every_case(test):
    test = pytest.mark.parametrize("span", SPANS)(test)
    test = pytest.mark.parametrize("sites", SITES)(test)
    return pytest.mark.parametrize("history", WINDOWS)(test)


@every_case
def test_windows_grow_the_sets_of_the_definition(history, sites, span):
    wanted = [source_sets(history, span, sites, reader) for reader in range(1, sites + 2)]
    assert grown(history, span, sites) == wanted


@every_case
def test_sources_hold_the_embedding_nothing_of_the_future_and_nothing_twice(history, sites, span):
    for reader, sources in enumerate(grown(history, span, sites), start=1):
        held = [i for source in sources for i in source]
        assert sources[0] == [0]
        assert len(held) == len(set(held))
        assert max(held) == reader - 1  # the newest output is always there


@every_case
def test_sizes_and_partition_flag_are_those_of_the_sets(history, sites, span):
    sets = grown(history, span, sites)
    assert sizes(history, span, sites) == [len(sources) for sources in sets]
    whole = all(
        sorted(i for source in sources for i in source) == list(range(reader))
        for reader, sources in enumerate(sets, start=1)
    )
    assert partitions(history, span, sites) is whole


@pytest.mark.parametrize(
    ("history", "span", "whole"),
    [
        ("full", 4, True),
        ("chunk_sum", 4, True),
        ("chunk_sum", 3, True),
        ("chunk_last", 1, True),
        ("chunk_last", 8, True),
        ("chunk_last", 9, True),
        ("chunk_last", 2, False),
        ("chunk_last", 4, False),
        ("chunk_last", 7, False),
        ("window", 7, False),
        ("window", 8, True),
        ("window", 1, False),
        ("chunk_sum_raw", 1, True),
        ("chunk_sum_raw", 3, True),
        ("chunk_sum_raw", 9, True),
        ("dilated", 1, True),
        ("dilated", 2, False),
        ("dilated", 8, False),
        ("log", 4, False),
    ],
)
def test_what_partitions_eight_sites(history, span, whole):
    assert partitions(history, span, 8) is whole


@pytest.mark.parametrize(("sites", "span"), [(56, 4), (24, 4), (12, 3), (13, 5), (8, 8)])
def test_chunk_last_sizes_follow_the_papers_formula(sites, span):
    n = [math.ceil(reader / span) for reader in range(1, sites + 1)]
    formula = [reader - (n[reader - 1] - 1) * (span - 1) for reader in range(1, sites + 1)]
    *inner, final = sizes("chunk_last", span, sites)
    assert inner == formula
    if sites % span == 0:
        assert final == sites // span + span


def test_the_papers_worked_numbers():
    assert sizes("chunk_last", 4, 8)[:8] == [1, 2, 3, 4, 2, 3, 4, 5]
    xl = sizes("chunk_last", 4, 56)
    assert (xl[55], xl[56], sum(xl)) == (17, 18, 522)
    assert sum(sizes("chunk_last", 4, 24)) == 130
    assert [sum(sizes("chunk_last", span, 56)) for span in (2, 8)] == [870, 435]
    assert [sum(sizes("chunk_last", span, 24)) for span in (2, 8)] == [182, 143]
    assert [sum(sizes("full", 4, sites)) for sites in (56, 24)] == [1653, 325]


def test_a_ragged_last_chunk_is_read_output_by_output():
    assert source_sets("chunk_last", 3, 8, 9) == [[0], [3], [6], [7], [8]]
    assert grown("chunk_last", 3, 8)[-1] == [[0], [3], [6], [7], [8]]
    assert grown("chunk_sum", 3, 8)[-1] == [[0], [1, 2, 3], [4, 5, 6], [7, 8]]
    assert grown("chunk_sum_raw", 3, 8)[-1] == [[0], [1, 2, 3], [4, 5, 6], [7], [8]]


def test_the_last_of_equal_chunks_is_read_raw_by_the_head():
    assert grown("chunk_last", 4, 8)[-1] == [[0], [4], [5], [6], [7], [8]]
    assert grown("chunk_sum_raw", 4, 8)[-1] == [[0], [1, 2, 3, 4], [5], [6], [7], [8]]


def test_strides_and_powers_of_two_count_back_from_the_newest():
    assert grown("dilated", 3, 12)[-1] == [[0], [3], [6], [9], [12]]
    assert grown("dilated", 3, 12)[-2] == [[0], [2], [5], [8], [11]]
    assert grown("log", 3, 12)[-1] == [[0], [5], [9], [11], [12]]
    assert grown("log", 3, 12)[8] == [[0], [1], [5], [7], [8]]


@pytest.mark.parametrize(
    ("history", "sums"),
    [
        ("full", 0),
        ("chunk_last", 0),
        ("window", 0),
        ("dilated", 0),
        ("log", 0),
        ("chunk_sum", 6),
        ("chunk_sum_raw", 3),
    ],
)
def test_only_sums_of_outputs_cost_additions(history, sums):
    """Eight sites in chunks of 4; the last chunk of chunk_sum_raw is never summed."""
    assert additions(history, 4, 8) == sums
