"""A search space: configurations of routings, as choices and ranges of their parameters."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED
from darbench.registry import Signature
from darbench.search.domains import Choices, Domain
from darbench.search.ground import Ground
from darbench.search.objectives import need_objectives
from darbench.search.prune import Prune, need_prunable
from darbench.search.samplers import FIXED, SAMPLERS, drawable
from darbench.search.trackers.tracking import need_known
from darbench.search.tune import Tune, need_tunable
from darbench.search.variants import Configuration, VariantSpec, linked, variant

MAX_SEED = 2**63 - 1  # a seed is a column of 64-bit integers
Choose = Callable[[str, Domain], Any]  # takes (name, domain), returns a value of the domain


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A checked search space; `darbench.search.load.load_space` makes one from YAML."""

    name: str
    grounds: tuple[Ground, ...]  # one for each point of the axes
    entries: tuple[VariantSpec, ...]
    summary: str
    sampler: str
    objectives: tuple[str, ...]  # two, or none for the metric that ranks alone
    seeds: tuple[int, ...]
    trials: int  # configurations that a search draws
    warm_start: str  # the leaderboard whose search it learns from; empty for none
    prune: Prune
    retries: int  # of a trial whose process died, or had no memory left
    notify: str  # a command of the user's; "" is none
    trackers: tuple[str, ...]
    confirm_top: int  # how many of the best are run again on fresh seeds
    confirm_seeds: tuple[int, ...]
    tune: Tune
    coarse_seeds: tuple[int, ...]  # that choose the grounds which a grid walks; none for all

    @property
    def ground(self) -> Ground:
        """The only ground; BadInput if the space has more."""
        if len(self.grounds) > 1:
            axes = [*self.grounds[0].point]
            example = "task=NAME" if axes == ["task"] else f"{axes[-1]}=VALUE"
            raise BadInput(
                f"the space has {len(self.grounds)} grounds, by {', '.join(axes)}, and this takes "
                f"one; fix every axis, such as {example}"
            )
        return self.grounds[0]

    def on(self, ground: Ground) -> "SearchSpace":
        """Return the same space on one of its grounds."""
        return replace(self, grounds=(ground,))

    def need_pairs(self) -> None:
        """Raise BadInput for a single pair id: an interval and a variance need at least two."""
        if len(self.seeds) < 2:
            raise BadInput(
                f"seeds={list(self.seeds)}: one pair id tells nothing of noise; give two or more, "
                "such as seeds=[0,1,2,3,4]"
            )

    def grid(self) -> Iterator[Configuration]:
        """Yield every configuration once, ground by ground, in the order of the variants."""
        for ground, entry in itertools.product(self.grounds, self.entries):
            yield from (entry.configuration(ground, chosen) for chosen in _walked(entry))

    def tuned(self) -> Iterator[list[Configuration]]:
        """Yield what every configuration of the grid tries on the tuned track."""
        for ground, entry in itertools.product(self.grounds, self.entries):
            points = self.tune.on(ground).points(entry.signature)
            for chosen in _walked(entry):
                yield [entry.configuration(ground, {**chosen, **point}) for point in points]

    def draw(self, choose: Choose) -> Configuration:
        """Return one configuration; only the chosen variant's changes are drawn."""
        names = tuple(entry.name for entry in self.entries)
        name = choose("variant", Choices(values=names))
        entry = self.entries[names.index(name)]
        chosen = {key: choose(f"{name}/{key}", domain) for key, domain in entry.domains.items()}
        return entry.configuration(self.ground, chosen)

    def samples(self) -> Iterator[Configuration]:
        """Yield enough configurations to try every choice and both ends of every range."""
        for ground, entry in itertools.product(self.grounds, self.entries):
            yield from entry.samples(ground)


def build_space(config: Mapping[str, Any], signatures: Mapping[str, Signature]) -> SearchSpace:
    """Make a space from values with the keys of `SweepConfig`; BadInput if it fails."""
    given = enumerate(config["variants"])
    entries = linked(variant(f"variants[{i}]", entry, signatures) for i, entry in given)
    space = SearchSpace(
        name=config["name"],
        summary=config["summary"],
        grounds=tuple(map(Ground.of, config["grounds"])),
        entries=entries,
        sampler=config["sampler"],
        objectives=tuple(config["objectives"]),
        seeds=tuple(config["seeds"]),
        trials=config["trials"],
        warm_start=config["warm_start"],
        prune=Prune(**config["prune"]),
        retries=config["retries"],
        notify=config["notify"],
        trackers=tuple(config["trackers"]),
        confirm_top=config["confirm"]["top"],
        confirm_seeds=tuple(config["confirm"]["seeds"]),
        tune=Tune(
            trials=config["tune"]["trials"],
            seeds=tuple(config["tune"]["seeds"]),
            over=config["tune"]["over"],
        ),
        coarse_seeds=tuple(config["coarse"]["seeds"]),
    )
    _check(space)
    return space


def _check(space: SearchSpace) -> None:
    if space.sampler not in SAMPLERS:
        raise unknown("sampler", space.sampler, SAMPLERS)
    need_known(space.trackers)
    for ground in space.grounds:
        if ground.task.rank_by not in COMPARED:
            raise unknown("metric task.rank_by:", ground.task.rank_by, COMPARED)
    if not space.entries:
        raise BadInput("the space has no variants; give `variants:` at least one `- routing: add`")
    if space.retries < 0:
        raise BadInput(f"retries={space.retries}: must be 0 or more")
    several = {
        "seeds": space.seeds,
        "confirm.seeds": space.confirm_seeds,
        "tune.seeds": space.tune.seeds,
    } | ({"coarse.seeds": space.coarse_seeds} if space.coarse_seeds else {})
    for key, seeds in several.items():
        if not seeds or len(set(seeds)) < len(seeds):
            raise BadInput(f"{key}={list(seeds)}: must be distinct, at least one")
        if min(seeds) < 0 or max(seeds) > MAX_SEED:
            raise BadInput(f"{key}={list(seeds)}: must be between 0 and {MAX_SEED}")
    ranked = {ground.task.rank_by for ground in space.grounds}
    need_objectives(space.objectives, space.sampler, ranked, bool(space.prune))
    if space.warm_start and space.sampler in ("grid", *FIXED):
        raise BadInput(
            f"warm_start: sampler={space.sampler} learns from no result; add sampler=tpe, or take "
            "it out"
        )
    checkpoints = [len(ground.training.checkpoints) for ground in space.grounds]
    need_prunable(space.prune, space.sampler, space.seeds, checkpoints)
    names = [entry.name for entry in space.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(f"variants: '{twice[0]}' stands there twice; give them different labels")
    _check_changes(space)
    if space.coarse_seeds:
        _check_coarse(space)
    if space.tune:
        _check_tuning(space)
    if space.sampler != "grid":
        drawable(space.sampler, space.entries)
        if space.trials < 1 or space.confirm_top < 0:
            raise BadInput(f"trials={space.trials}: must be at least 1; confirm.top 0 or more")
        if set(space.seeds) & set(space.confirm_seeds):
            raise BadInput("confirm.seeds must be fresh: seeds that picked a winner never rank it")


def _check_changes(space: SearchSpace) -> None:
    """Raise BadInput if what a variant changes breaks a rule on one of the grounds."""
    for i, entry in enumerate(space.entries):
        try:
            for ground in space.grounds:
                [*entry.samples(ground)]
        except ValueError as error:
            raise BadInput(f"variants[{i}]: {error}") from None


def _check_coarse(space: SearchSpace) -> None:
    if space.sampler != "grid" or space.tune:
        what = "tune.over" if space.tune else f"sampler={space.sampler}"
        raise BadInput(f"coarse.seeds: {what} searches by itself; take one of the two out")
    if len(space.coarse_seeds) < 2:
        raise BadInput(
            f"coarse.seeds={[*space.coarse_seeds]}: one seed tells nothing of noise; give two or "
            "more, such as coarse.seeds=[3000,3001], or none"
        )
    if both := sorted({*space.coarse_seeds} & {*space.seeds}):
        raise BadInput(
            f"coarse.seeds: {both} are in seeds too, and seeds that choose a ground never rank on "
            "it; take others, such as coarse.seeds=[3000,3001]"
        )


def _check_tuning(space: SearchSpace) -> None:
    if space.sampler != "grid":
        raise BadInput(f"tune.over: sampler={space.sampler} searches by itself; tune a grid")
    need_tunable(
        space.tune,
        [entry.signature for entry in space.entries],
        space.seeds,
        space.grounds[0].point,
    )
    for i, entry in enumerate(space.entries):
        try:
            for ground in space.grounds:
                _check_points(entry, ground, space.tune.on(ground).points(entry.signature))
        except ValueError as error:
            raise BadInput(f"variants[{i}]: {error}") from None


def _check_points(entry: VariantSpec, ground: Ground, points: list[dict[str, Any]]) -> None:
    """Raise ValueError if what an entry tries breaks a rule on a ground."""
    if both := {*entry.domains} & {key for point in points for key in point}:
        raise BadInput(f"{min(both)} is in tune.over too; take it from one of them")
    for chosen, point in itertools.product(_walked(entry), points):
        entry.configuration(ground, {**chosen, **point})


def _walked(entry: VariantSpec) -> Iterator[dict[str, Any]]:
    """Every combination of the values of an entry's domains."""
    values = [_values(entry, name, domain) for name, domain in entry.domains.items()]
    for point in itertools.product(*values):
        yield dict(zip(entry.domains, point, strict=True))


def _values(spec: VariantSpec, name: str, domain: Domain) -> Sequence[Any]:
    if isinstance(domain, Choices):
        return domain.values
    if domain.step is None:
        raise BadInput(
            f"{spec.name}: a grid cannot walk the range of {name}; give it a step, list its "
            "values, or use sampler=random, halton or tpe"
        )
    return domain.grid()
