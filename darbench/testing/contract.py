"""All checks in the order they are run, and the two ways to run them on a routing."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import torch

from darbench.errors import unknown
from darbench.registry import ROUTINGS
from darbench.routing.base import Routing
from darbench.state.generators import borrowed
from darbench.testing import (
    capture,
    construction,
    cost,
    dependence,
    depth,
    isolation,
    learning,
    numerics,
    purity,
    reading,
    training,
    training_mode,
    travel,
    verbs,
)
from darbench.testing.check import Broken, Check, Result
from darbench.testing.failure import explain
from darbench.testing.subject import Subject

CHECKS: tuple[Check, ...] = (
    construction.constructible,
    construction.reproducible,
    verbs.shapes_and_dtypes,
    verbs.state_is_tensors,
    purity.pure,
    verbs.passes_do_not_meet,
    reading.take_equals_read,
    reading.order_of_reads,
    reading.repeated_gradients,
    depth.causal,
    depth.declared_sources,
    depth.any_size,
    dependence.samples_are_independent,
    dependence.no_randomness_at_evaluation,
    dependence.declared_conditions,
    purity.pure_in_training,
    training_mode.samples_in_training,
    training_mode.draws_in_training,
    training_mode.buffers_in_training,
    numerics.finite_at_zero_outputs,
    numerics.finite_at_large_outputs,
    numerics.bfloat16_is_close,
    training.fresh_model_is_zero,
    training.declared_equality_to_add,
    learning.every_parameter_matters,
    learning.gradients_open,
    training.checkpointed_gradients,
    construction.state_dict_round_trip,
    construction.copies_are_apart,
    construction.parameter_groups,
    construction.official_keys,
    cost.flops_per_token,
    cost.flops_formula,
    isolation.no_files_no_network,
    travel.travels,
    capture.one_graph,
)


def check_routing(
    routing: type[Routing] | str,
    params: Mapping[str, Any] | None = None,
    *,
    only: Iterable[str] | None = None,
) -> list[Result]:
    """Return the result of every check, or of those named in `only`, in the order of CHECKS.

    A broken routing never raises: an exception in its code is the failure of that check. If it
    cannot even be constructed, the other checks fail without being run. BadInput is for a routing
    or check that does not exist.
    """
    cls = ROUTINGS.get(routing) if isinstance(routing, str) else routing
    subject = Subject(cls, dict(params or {}))
    chosen = _chosen(only)
    with borrowed(0), torch.enable_grad():
        obstacle = _message(subject.fresh, cls)
        return [_result(check, subject, obstacle) for check in chosen]


def _chosen(only: Iterable[str] | None) -> list[Check]:
    if only is None:
        return list(CHECKS)
    names = {check.name for check in CHECKS}
    wanted = [only] if isinstance(only, str) else list(only)
    for name in wanted:
        if name not in names:
            raise unknown("check", name, names)
    return [check for check in CHECKS if check.name in wanted]


def _result(check: Check, subject: Subject, obstacle: str) -> Result:
    started, notes = time.perf_counter(), []
    if obstacle and check is not construction.constructible:
        message = f"not run, the routing cannot be constructed: {obstacle}"
    else:
        message = _message(lambda: notes.append(check.run(subject)), subject.cls)
    return Result(
        name=check.name,
        claim=check.claim,
        passed=not message,
        message=message,
        note="".join(note or "" for note in notes),
        seconds=time.perf_counter() - started,
    )


def _message(action: Callable[[], Any], cls: type) -> str:
    """Return why the action failed, or an empty text.

    If the action changed torch's default dtype, that is put back.
    """
    dtype = torch.get_default_dtype()
    try:
        action()
    except Broken as broken:
        return str(broken)
    except (Exception, SystemExit) as error:
        return explain(error, cls)
    finally:
        torch.set_default_dtype(dtype)
    return ""


class RoutingContract:
    """A base for pytest classes: set `routing`, a class or a name, and perhaps `params`.

    Every check is one test, `test_<name of the check>`.
    """

    routing: ClassVar[type[Routing] | str]
    params: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        for check in CHECKS:
            name = f"test_{check.name}"
            if not hasattr(cls, name):
                setattr(cls, name, _test_of(check))


def _test_of(check: Check) -> Callable[[RoutingContract], None]:
    def test(self: RoutingContract) -> None:
        __tracebackhide__ = True
        (result,) = check_routing(self.routing, self.params, only=[check.name])
        assert result.passed, result.message

    test.__doc__ = check.claim
    return test
