"""Every configuration is tried out before anything runs; what is wrong with one is one line."""

from collections.abc import Iterable

from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS


def require_feasible(labelled: Iterable[tuple[str, Trial]]) -> None:
    """BadInput if one of the trials, each with its label, cannot be built or measured, whatever
    its routing raises."""
    from darbench.testing.failure import explain  # with torch
    from darbench.trial.check import check

    for label, trial in labelled:
        try:
            check(trial)
        except BadInput:  # says what is wrong, which is nothing of the routing's
            raise
        except ValueError as error:
            raise BadInput(f"{label}: {error}") from None
        except Exception as error:
            cls = ROUTINGS.get(trial.variant.routing)
            raise BadInput(f"{label}: {explain(error, cls)}") from error
