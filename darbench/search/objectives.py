"""The two objectives of a search: the metric that ranks, against what a routing costs."""

from collections.abc import Collection, Mapping, Sequence

from darbench.errors import BadInput, unknown

# Columns of a trial's last row; the less the better.
COSTS = ("train_flops", "peak_mem_bytes", "params_total", "step_ms_p50")
TWO = "nsga2"  # the sampler that has two objectives


def need_objectives(
    objectives: Sequence[str], sampler: str, ranked: Collection[str], pruned: bool
) -> None:
    """Raise BadInput unless a search has the objectives that its sampler takes.

    ranked: the metrics that rank on the grounds. pruned: whether it would stop configurations.
    """
    metric = min(ranked)
    example = f"objectives=[{metric},params_total]"
    if sampler != TWO:
        if objectives:
            raise BadInput(
                f"objectives: sampler={sampler} has one, {metric}; add sampler={TWO}, or leave "
                "them out"
            )
        return
    if len(ranked) > 1:
        raise BadInput(f"sampler={TWO}: the grounds rank by {', '.join(sorted(ranked))}; fix one")
    if len(objectives) != 2:
        raise BadInput(f"sampler={TWO}: it takes two objectives, such as {example}")
    for name in objectives:
        if name not in (metric, *COSTS):
            raise unknown("objective in objectives:", name, (metric, *COSTS))
    if objectives[0] != metric or objectives[1] == metric:
        raise BadInput(
            f"objectives={[*objectives]}: first comes {metric}, which ranks, then what it is held "
            f"against, such as {example}"
        )
    if pruned:
        raise BadInput(
            "prune.pruner: a search of two objectives stops nothing early, for what costs less "
            "may be worth its loss; take it out, or add sampler=tpe and objectives=[]"
        )


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other is as good as in both, and better in one."""
    return [
        name
        for name, own in points.items()
        if not any(_dominates(other, own) for other in points.values())
    ]


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one != other and one[0] <= other[0] and one[1] <= other[1]
