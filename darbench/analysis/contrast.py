"""The contrast of a routing's gain where velocities and where the data are predicted.

A velocity needs the noisy input at the output, which the residual stream must carry; the data do
not. A gain that comes from carrying it is smaller where the data are predicted.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from darbench.analysis.comparison import BASELINE, baseline, by_pair, judged_effect, log_ratios
from darbench.analysis.effects import Effect, paired_effect
from darbench.analysis.outcomes import Entry
from darbench.records.canonical import canonical_json


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """The two effects of a routing, and their difference on the log scale, paired by seed.

    The difference is given as a relative change, as effects are: -0.02 where the loss over that of
    `add` is 2 % lower with velocities than with data. Where a seed is missing it has no interval.
    """

    entry: Entry  # predicts velocities
    velocity: Effect
    data: Effect
    difference: Effect


def contrasts(
    entries: Sequence[Entry], metric: str, tuned: Collection[str] = ()
) -> Iterator[Contrast]:
    """Yield the contrast of every routing that stands among the entries with both objectives.

    tuned: settings of which every entry has its own best, `training.lr` or `params.lr_mult`.
    """
    apart = {"training.objective", *tuned}
    twins = {_kind(e, apart): e for e in _current(entries) if _objective(e) == "data"}
    for entry in _current(entries):
        twin = twins.get(_kind(entry, apart))
        if _objective(entry) == "velocity" and twin is not None:
            bases = baseline(entry, entries, metric), baseline(twin, entries, metric)
            yield from _contrast((entry, twin), bases, metric)


def _current(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (e for e in entries if not e.stale and e.head["routing"] != BASELINE)


def _objective(entry: Entry) -> str:
    return entry.config["training"].get("objective", "velocity")


def _kind(entry: Entry, apart: Collection[str]) -> str:
    """All that decides an entry but the settings that are set apart."""
    parts = {
        part: {name: v for name, v in entry.config[part].items() if f"{part}.{name}" not in apart}
        for part in ("params", "training")
    }
    return canonical_json({**entry.config, **parts})


def _contrast(
    pair: tuple[Entry, Entry], bases: tuple[Entry | None, Entry | None], metric: str
) -> Iterator[Contrast]:
    """Yield the contrast, if each has an `add` of its own objective and a seed is common."""
    both = [*zip(pair, bases, strict=True)]
    if any(base is None or _objective(base) != _objective(entry) for entry, base in both):
        return
    velocity, data = (_ratios(entry, base, metric) for entry, base in both)
    common = sorted(velocity.keys() & data.keys())
    difference = paired_effect([velocity[seed] - data[seed] for seed in common])
    if difference is not None:
        whole = all(entry.required <= {*common} for entry in pair)
        difference = difference if whole else difference.bare
        of_velocity, of_data = (judged_effect(entry, base, metric) for entry, base in both)
        yield Contrast(entry=pair[0], velocity=of_velocity, data=of_data, difference=difference)


def _ratios(entry: Entry, base: Entry, metric: str) -> dict[int, float]:
    return log_ratios(by_pair(entry.trials), by_pair(base.of(entry.split)), metric)
