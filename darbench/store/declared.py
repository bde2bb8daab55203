"""The declarations of a leaderboard's sweeps, in a file beside its ledger.

They say which seeds a configuration must have and had before, which metric ranks it, where it
stands, which command runs it, and which source of a routing is current.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from darbench.command_line import republished
from darbench.errors import BadInput
from darbench.files import replacing
from darbench.store.place import Place

FILE = "declared.json"


@dataclass(frozen=True, kw_only=True)
class Declared:
    command: str = ""  # the command line of the last sweep
    seeds: Mapping[str, list[int]] = field(default_factory=dict)  # by configuration hash
    # The seeds that a configuration had until a sweep declared more, by the time of that.
    earlier: Mapping[str, Mapping[str, list[int]]] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)  # the last by configuration hash
    # The metric by configuration hash; those of the last sweep come last, in the file too.
    rank_by: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, list[Place]] = field(default_factory=dict)  # by configuration hash
    # What is said of each control, by configuration hash.
    controls: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # code hash by routing
    # The files of users' routings and encoders by name, without their folders; empty
    # for a notebook's.
    files: Mapping[str, str] = field(default_factory=dict)

    def extended(
        self,
        seeds: Mapping[str, Iterable[int]],
        *,
        command: str = "",
        rank_by: Mapping[str, str] | None = None,
        places: Mapping[str, list[Place]] | None = None,
        controls: Mapping[str, str] | None = None,
        sources: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> "Declared":
        """Return this with the declarations of another sweep.

        Seeds are added, and what they were before is kept; all else is replaced by name.
        `command` is for the configurations in `seeds` or `places`. Those with places that are no
        controls now are none any more, and they keep their places on tracks that this sweep does
        not have.
        """
        placed = places or {}
        merged = {
            key: sorted({*self.seeds.get(key, ()), *seeds.get(key, ())})
            for key in {**self.seeds, **seeds}
        }
        told, latest = [*seeds, *placed], rank_by or {}
        before = {key: metric for key, metric in self.rank_by.items() if key not in latest}
        kept = {key: said for key, said in self.controls.items() if key not in placed}
        raised = [key for key, before in self.seeds.items() if len(merged[key]) > len(before)]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        grown = {key: {**self.earlier.get(key, {}), now: self.seeds[key]} for key in raised}
        return Declared(
            command=command or self.command,
            seeds=merged,
            earlier={**self.earlier, **grown},
            commands={**self.commands, **(dict.fromkeys(told, command) if command else {})},
            rank_by={**before, **latest},
            places=self._placed(placed),
            controls={**kept, **(controls or {})},
            sources={**self.sources, **(sources or {})},
            files={**self.files, **(files or {})},
        )

    def _placed(self, places: Mapping[str, list[Place]]) -> dict[str, list[Place]]:
        tracks = {place.track for own in places.values() for place in own}
        found = dict(self.places)
        for key, own in places.items():
            kept = (place for place in found.get(key, ()) if place.track not in tracks)
            found[key] = [*own, *kept]
        return found

    def standing(self, configuration: str, split: str) -> list[Place]:
        """Return the places of a configuration's trials of a split; without any the usual one."""
        own = [p for p in self.places.get(configuration, ()) if p.split == split]
        return own or [Place(split=split)]

    def ranking(self, configurations: Collection[str]) -> str | None:
        """Return the metric that the last sweep of any of them declared; None without one."""
        metrics = (self.rank_by[key] for key in reversed(self.rank_by) if key in configurations)
        return next(metrics, None)


def read(folder: Path) -> Declared:
    """Read the declarations in a folder, none without a file; BadInput if it cannot be read."""
    path = folder / FILE
    try:
        return _mailable(_with_places(json.loads(path.read_text())))
    except FileNotFoundError:
        return Declared()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path}: cannot be read ({error}); move it away, and run the sweep again"
        ) from error


def _with_places(values: dict[str, Any]) -> Declared:
    places = {
        key: [Place(**place) for place in each] for key, each in values.pop("places", {}).items()
    }
    return Declared(**values, places=places)


def _mailable(declared: Declared) -> Declared:
    """The declarations without the folders of this machine, which an older darbench kept."""
    return replace(
        declared,
        command=declared.command and republished(declared.command),
        commands={key: text and republished(text) for key, text in declared.commands.items()},
        files={name: file and Path(file).name for name, file in declared.files.items()},
    )


def write(folder: Path, declared: Declared) -> None:
    with replacing(folder / FILE) as partial:
        partial.write_text(json.dumps(asdict(declared), indent=1))
