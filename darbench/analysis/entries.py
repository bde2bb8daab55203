"""The entries of a section from its rows: what belongs together, its order, the seeds it needs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import groupby

from darbench.analysis.outcomes import Entry, Row, outcome
from darbench.records.schema import is_outdated


def entries(
    rows: Iterable[Row],
    budget: float | None,
    sources: Mapping[str, str],
    seeds: Mapping[str, Collection[int]] | None = None,
    controls: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Return the entries of one section, in the order in which sweeps declared them.

    Of one configuration the oldest source comes first; a source hash of an older form is older
    than any other, whenever its trials ran.

    sources: the current code hash by routing. Of a routing that is not among them the source of
    the newest results counts as current, unless its hash is of an older form.
    seeds: what sweeps declared, by configuration hash. Configurations without come last, in the
    order of their first rows.
    controls: what is said of each control, by configuration hash.
    """

    def trial(row: Row) -> tuple:
        return row["config_hash"], row["variant_code_hash"] or "", row["split"], row["trial_id"]

    grouped: dict[str, dict[str, list[list[Row]]]] = {}
    for (config, code, _, _), group in groupby(sorted(rows, key=trial), key=trial):
        grouped.setdefault(config, {}).setdefault(code, []).append(list(group))
    current, made = {**_newest(grouped), **sources}, []
    for by_code in grouped.values():
        for code, trials in sorted(by_code.items(), key=lambda each: _age(each[1])):
            outcomes = tuple(outcome(group, budget) for group in trials)
            head = outcomes[0].last
            stale = code != current[head["routing"]] or is_outdated(head)
            waiting = stale and current[head["routing"]] not in by_code
            control = (controls or {}).get(head["config_hash"])
            made.append(Entry(outcomes=outcomes, stale=stale, waiting=waiting, control=control))
    return _requiring(_in_order(made, seeds or {}), seeds or {})


def _newest(grouped: Mapping[str, Mapping[str, list[list[Row]]]]) -> dict[str, str]:
    """The source of the newest results by routing."""
    found = [
        (_age(trials), trials[0][0]["routing"], code)
        for by_code in grouped.values()
        for code, trials in by_code.items()
    ]
    return {routing: code for _, routing, code in sorted(found)}


def _in_order(made: list[Entry], seeds: Mapping[str, Collection[int]]) -> list[Entry]:
    """No result has a part in the order, for it decides which `add` others are compared with."""
    places = {config: place for place, config in enumerate(seeds)}
    first: dict[str, str] = {}
    for entry in made:
        config, stamps = entry.key[0], [o.last["created_utc"] or "" for o in entry.outcomes]
        first[config] = min([*stamps, *filter(None, [first.get(config)])])
    return sorted(made, key=lambda e: (places.get(e.key[0], len(places)), first[e.key[0]]))


def _requiring(made: list[Entry], seeds: Mapping[str, Collection[int]]) -> list[Entry]:
    """Give each entry the seeds that rank it: those that its sweeps declared, and those it has.

    Of rows without declarations, as of a table alone, all entries must have what one of them has.
    A search draws its own seeds, and ranks nothing.
    """
    common: dict[str, set[int]] = {}
    for entry in made:
        if not entry.stale and entry.key[0] not in seeds:
            common.setdefault(entry.split, set()).update(o.pair_id for o in entry.trials)
    required = []
    for entry in made:
        wanted = seeds.get(entry.key[0], common.get(entry.split, ()))
        own = {o.pair_id for o in entry.trials}
        required.append(own if entry.split == "search" else own.union(wanted))
    return [replace(e, required=frozenset(r)) for e, r in zip(made, required, strict=True)]


def _age(trials: list[list[Row]]) -> tuple[bool, str]:
    """A sort key of the trials of one source, larger for newer ones."""
    newest = max(row["created_utc"] or "" for group in trials for row in group)
    return not is_outdated(trials[0][0]), newest
