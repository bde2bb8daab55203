"""The interface of a proposer, which names the trials of a sweep one by one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from darbench.records.trial import Trial
from darbench.store.importances import Importance
from darbench.store.place import Place

Row = Mapping[str, Any]


class Exhausted(Exception):
    """There is no trial left to run."""


@dataclass(kw_only=True)
class Declares:
    """What a sweep declares of configurations, by their hashes."""

    seeds: dict[str, set[int]] = field(default_factory=dict)  # that rank it
    rank_by: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[Place]] = field(default_factory=dict)  # of its trials on the board
    controls: dict[str, str] = field(default_factory=dict)  # what is said of a control

    def add(
        self,
        trials: Iterable[Trial],
        point: Mapping[str, Any],
        tuned: tuple[str, ...] = (),
        left: bool = False,
    ) -> None:
        """Declare that trials stand at a point of the axes, and on the track of tuned settings.

        Those of a search rank nothing; some points are left at them.
        """
        for trial in trials:
            key = trial.config_hash
            place = Place(point=point, tuned=tuned, split=trial.split, left=left)
            if trial.split != "search":
                self.seeds.setdefault(key, set()).add(trial.pair_id)
                self.rank_by[key] = trial.task.rank_by
            if place not in self.places.setdefault(key, []):
                self.places[key].append(place)

    def control(self, trial: Trial, said: str | None) -> None:
        """Declare that a configuration is a control, unless nothing is said of it.

        One that several entries make is told of in all their words.
        """
        if said is not None:
            before = self.controls.get(trial.config_hash, "")
            words = dict.fromkeys(filter(None, [before, said]))
            self.controls[trial.config_hash] = ", ".join(words)

    def join(self, other: "Declares") -> None:
        """Declare all that another does, too."""
        for key, seeds in other.seeds.items():
            self.seeds.setdefault(key, set()).update(seeds)
        self.rank_by |= other.rank_by
        self.controls |= other.controls
        for key, places in other.places.items():
            own = self.places.setdefault(key, [])
            own.extend(place for place in places if place not in own)


class Proposer(Protocol):
    total: int  # number of trials in the sweep, with those that need not run
    skipped: int  # how many of them had finished before
    declares: Declares

    def next(self) -> Trial | None:
        """Return a trial to run, or None if one may come later; raise Exhausted if none will."""

    def tell(self, trial: Trial, row: Row | None) -> None:
        """Note that a trial ended with this row; None if it was lost."""

    def heard(self, trial: Trial, row: Row) -> None:
        """Note the row of a checkpoint of a trial that goes on, which a pruner may stop then."""

    def pruned(self, trial: Trial) -> str:
        """Return why a trial is to stop, or not to begin; empty if it is to run."""
        return ""

    def importances(self) -> Mapping[str, Sequence[Importance]]:
        """What mattered in searches that have ended, by the point where they stand."""
