"""The tables of `sensitivity`, `noise-floor` and `plan`: effects, deviations, seeds."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from darbench.analysis.deviation import SAFE
from darbench.analysis.effects import Effect
from darbench.analysis.power import MOST, POWER, smallest_effect
from darbench.board import cells
from darbench.cli.texts import closing, counts, render
from darbench.commands.noise_floor import Floor, NoiseFloor
from darbench.commands.plan import Plan
from darbench.commands.sensitivity import Sensitivity
from darbench.records.metric import COMPARED, METRICS

NO_VALUE = "-"


def sensitivity_text(result: Sensitivity, again: str) -> str:
    """Return the result as text; `again` is the command that continues interrupted sweeps."""
    shown = [render(sensitivity_table(result))] if result.measured else []
    left = left_out({control.name: control.unpaired for control in result.controls})
    other = kernels({control.name: control.other_kernels for control in result.controls})
    *before, last = result.outcomes
    return "\n".join([*shown, *left, *other, *map(counts, before), closing(last, again)])


def sensitivity_table(result: Sensitivity) -> Table:
    metrics = [result.rank_by, *(m for m in COMPARED if m != result.rank_by)]
    names = (f"{METRICS[metric].title_in(result.extractor)}, %" for metric in metrics)
    table = table_of("control", "must be", *names, "")
    for control in result.controls:
        table.add_row(
            control.name,
            "better" if control.better else "worse",
            *(_effect(control.effects[m]) for m in metrics),
            "resolved" if control.resolved(result.rank_by) else "NOT RESOLVED",
        )
    return table


def left_out(unpaired: Mapping[str, Mapping[int, list[str]]]) -> Iterator[str]:
    """Yield a line for each variant with trials that are not paired with `add`.

    unpaired: what differs, by name and pair id.
    """
    for name, broken in unpaired.items():
        if broken:
            seeds = ", ".join(map(str, sorted(broken)))
            what = ", ".join(dict.fromkeys(reason for each in broken.values() for reason in each))
            yield f"left out, not paired with add: {name} in seed {seeds}: {what}"


def kernels(others: Mapping[str, list[int]]) -> Iterator[str]:
    """Yield one line if pairs were computed by different kernels; `others` are pair ids by name.

    Their numbers differ by rounding.
    """
    names = [f"{name} in seed {', '.join(map(str, own))}" for name, own in others.items() if own]
    if names:
        yield f"compared all the same, by other kernels than add: {'; '.join(names)}"


def noise_floor_text(result: NoiseFloor, again: str) -> str:
    """Return the result as text; `again` is the command that continues an interrupted sweep."""
    shown = [render(noise_table(result))] if result.measured else []
    told = [*left_out(result.unpaired), *kernels(result.other_kernels)]
    return "\n".join([*shown, *told, closing(result.outcome, again)])


def noise_table(result: NoiseFloor) -> Table:
    table = table_of("", *(METRICS[metric].title_in(result.extractor) for metric in result.floors))
    for name, shown in _noise_rows(result):
        table.add_row(name, *shown)
    return table


def _noise_rows(result: NoiseFloor) -> Iterator[tuple[str, list[str]]]:
    floors = result.floors.values()
    yield "pair ids", [str(f.pairs) for f in floors]
    yield "training seed", [_percent(f.training) for f in floors]
    yield "generation noise", [_percent(f.generation) for f in floors]
    yield "the metric's own draws", [_percent(f.metric) for f in floors]
    yield "one trial, over pair ids", [_percent(f.pairing and f.pairing.seed) for f in floors]
    shared = [f"{f.pairing.correlation:.2f}" if f.pairing else NO_VALUE for f in floors]
    yield "correlation of pairs", shared
    yield "difference within pairs", [_percent(f.pairing and f.pairing.pair) for f in floors]
    yield "held-out images, in differences", [_percent(f.images) for f in floors]
    for n in (3, 5, 10):
        yield f"smallest effect, {n} paired seeds", [_smallest(f, n, paired=True) for f in floors]
        unpaired = [_smallest(f, n, paired=False) for f in floors]
        yield f"smallest effect, {n} seeds unpaired", unpaired


def _smallest(floor: Floor, n: int, *, paired: bool) -> str:
    if floor.pairing is None:
        return NO_VALUE
    deviation = floor.pairing.pair if paired else floor.pairing.seed
    return _percent(smallest_effect(deviation, n, paired=paired))


def plan_text(result: Plan) -> str:
    name = METRICS[result.metric].title_in(result.extractor)
    seen = f"{result.effect:.3g}" if abs(result.effect) < 1e-3 else f"{result.effect:.2%}"
    level = f"level {100 * result.significance:.2g}%"
    head = f"to see {seen} in {name} with a chance of {POWER:.0%} ({level} for each variant):"
    if result.paired is None:
        return f"{head} more than {MOST} paired seeds\n{_noise_text(result)}"
    unpaired = result.unpaired if result.unpaired is not None else f"more than {MOST}"
    time = "no trial has been timed yet" if result.hours is None else f"{result.hours:.2g} hours"
    return (
        f"{head}\n{result.paired} paired seeds ({unpaired} if unpaired), {result.trials} trials "
        f"with those of add: {time}, one after another\n{_noise_text(result)}"
    )


def _noise_text(result: Plan) -> str:
    few = ": a rough estimate, which more seeds of noise-floor mend" if result.pairs < 5 else ""
    low, high = result.interval
    variants = f"{result.compared} variant" + ("s" if result.compared > 1 else "")
    return (
        f"paired differences vary by {result.deviation:.2%} [{low:.2%}, {high:.2%}], over "
        f"{result.pairs} pair ids of {variants}{few}; planned for {result.planned:.2%}, which is "
        f"more than the truth with a chance of {SAFE:.0%}; from {result.source}"
    )


def table_of(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, style="" if i else "bold", justify="right" if i else "left")
    return table


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return NO_VALUE
    if effect.low is None:
        seeds = "one seed" if effect.n == 1 else f"{effect.n} seeds"
        return f"{100 * effect.mean:+.2f} ({seeds}, no interval)"
    digits = cells.digits(effect.mean, effect.low, effect.high, least=2)
    mean, low, high = (f"{100 * x:+.{digits}f}" for x in (effect.mean, effect.low, effect.high))
    return f"{mean} [{low}, {high}]"


def _percent(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.2%}"
