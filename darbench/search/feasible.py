"""The check that every configuration can be built and measured, before anything runs."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from darbench import data
from darbench.cache import remembered
from darbench.errors import BadInput
from darbench.metrics.extractors.catalogue import shipped
from darbench.records.canonical import canonical_json
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS, is_built_in, signatures
from darbench.search.load import load_space
from darbench.search.space import SearchSpace
from darbench.search.variants import Configuration

Labelled = tuple[str, Trial]


def checked_space(
    space: str, overrides: Iterable[str] = (), *, quick: bool = False, own: Iterable[str] = ()
) -> SearchSpace:
    """Return the space as a sweep would run it; BadInput if a configuration cannot run."""
    made = load_space(space, overrides, signatures(), quick=quick, own=own)
    require_feasible(
        (configuration.name, configuration.trial(made.seeds[0], "confirm"))
        for configuration in _tried(made)
    )
    return made


def _tried(space: SearchSpace) -> Iterator[Configuration]:
    """What is tried out: of tuned configurations one for each set of a routing's parameters."""
    yield from space.grid() if space.sampler == "grid" else space.samples()
    for own in space.tuned() if space.tune else ():
        yield from {canonical_json(dict(c.variant.params)): c for c in own}.values()


def require_feasible(labelled: Iterable[Labelled]) -> None:
    """Raise BadInput if one of the trials, each with its label, cannot be built or measured.

    That holds for any error in its routing. If all can run, that is kept on disk, where it
    depends on darbench alone.
    """
    labelled = [*labelled]
    if all(_is_shipped(trial) for _, trial in labelled):
        remembered("feasible", [asdict(trial) for _, trial in labelled], lambda: _try(labelled))
    else:
        _try(labelled)


def _is_shipped(trial: Trial) -> bool:
    """Whether a trial is made of darbench's own code, data and weights alone."""
    encoder = trial.training.repa.encoder if trial.training.objective == "repa" else None
    return (
        is_built_in(trial.variant.routing)
        and not data.from_files(trial.task.data)
        and trial.task.extractor in shipped()
        and encoder in (None, *shipped())
        and not trial.training.init_from
    )


def _try(labelled: Iterable[Labelled]) -> bool:
    from darbench.trial.check import check  # imports torch

    for label, trial in labelled:
        try:
            check(trial)
        except BadInput:  # a clear message, and no error in the routing
            raise
        except ValueError as error:
            raise BadInput(f"{label}: {error}") from None
        except (Exception, SystemExit) as error:
            from darbench.testing.failure import explain

            cls = ROUTINGS.get(trial.variant.routing)
            raise BadInput(f"{label}: {explain(error, cls)}") from error
    return True
