"""The way from a name to a search space or a trial: compose, resolve, build."""

from collections.abc import Iterable, Mapping

from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.registry import Signature
from darbench.search.compose import Values, compose_space, compose_trial
from darbench.search.files import find_space
from darbench.search.resolve import resolve
from darbench.search.space import SearchSpace, build_space


def load_space(
    space: str,
    overrides: Iterable[str],
    signatures: Mapping[str, Signature],
    *,
    quick: bool = False,
    own: Iterable[str] = (),
) -> SearchSpace:
    """Return the space that `compose_space` describes, with its data and encoder."""
    values = resolve(compose_space(space, overrides, quick=quick, own=own))
    try:
        return build_space(values, signatures)
    except ValueError as error:
        raise BadInput(f"{find_space(space).name}: {error}") from None


def load_trial(
    routing: str,
    task: str,
    overrides: Iterable[str],
    seed: int,
    signatures: Mapping[str, Signature],
) -> Trial:
    """Return the trial that `compose_trial` describes, with its data and encoder."""
    return build_trial(resolve(compose_trial(routing, task, overrides, seed)), signatures)


def build_trial(values: Values, signatures: Mapping[str, Signature]) -> Trial:
    """Return the one trial of a space of one variant and one seed; BadInput if there are more.

    The values may be resolved or not.
    """
    try:
        space = build_space(values, signatures)
    except ValueError as error:
        raise BadInput(str(error).removeprefix("variants[0]: ")) from None
    searched = [f"params.{key}" for key in space.entries[0].domains]
    if searched:
        raise BadInput(f"{searched[0]}: one trial takes one value; to search, write a space")
    return next(space.grid()).trial(space.seeds[0], "confirm")
