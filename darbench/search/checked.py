"""A trial is tried out before anything runs; what is wrong with it is one line."""

from darbench.errors import BadInput
from darbench.records.trial import Trial
from darbench.registry import ROUTINGS
from darbench.testing.failure import explain
from darbench.trial.train import check


def checked(trial: Trial, label: str) -> None:
    """BadInput if the trial cannot be built or measured, whatever its routing raises."""
    try:
        check(trial)
    except BadInput:  # says what is wrong, which is nothing of the routing's
        raise
    except ValueError as error:
        raise BadInput(f"{label}: {error}") from None
    except Exception as error:
        cls = ROUTINGS.get(trial.variant.routing)
        raise BadInput(f"{label}: {explain(error, cls)}") from error
