"""The source sets of DAR and AttnRes, written down from their definition, reader by reader."""

import math


def source_sets(history: str, span: int, sites: int, l: int) -> list[list[int]]:  # noqa: E741
    """The sources of reader l = 1 .. sites + 1, each as the indices of the v that it sums up.

    Chunk n = 1, 2, ... holds v_{(n-1) span + 1} .. v_{n span}, the last one perhaps fewer.
    """
    if history == "full":
        return [[i] for i in range(l)]
    if history == "window":
        return [[0], *([i] for i in range(max(1, l - span), l))]
    if history == "dilated":
        return [[i] for i in range(l) if i == 0 or (l - 1 - i) % span == 0]
    if history == "log":
        ages = [2**j for j in range(10)]
        return [[i] for i in range(l) if i == 0 or l - i in ages]
    last_chunk = math.ceil(sites / span)
    n = min(math.ceil(l / span), last_chunk)
    if history == "chunk_last":
        closed = [[m * span] for m in range(n)]  # c_0 = v_0, c_m = v_{m span}
        return closed + [[i] for i in range((n - 1) * span + 1, l)]
    assert history in ("chunk_sum", "chunk_sum_raw")
    closed = [[0], *(list(range((m - 1) * span + 1, m * span + 1)) for m in range(1, n))]
    partial = list(range((n - 1) * span + 1, l))
    if history == "chunk_sum_raw":
        return closed + [[i] for i in partial]
    return closed + ([partial] if partial else [])
