"""The state of what learns, as tensors by name, and its way back into a learner."""

from collections.abc import Mapping

import torch
from torch import Tensor

from darbench.state.buffers import buffers
from darbench.state.buffers import restore as restore_buffers
from darbench.state.fingerprint import tensor_content
from darbench.trial.learner import Learner

Tensors = dict[str, Tensor]


def learnt_by(learner: Learner) -> Tensors:
    """Return the tensors of model, average, objective and optimizer, by name.

    The average has no buffers of its own: it is evaluated with those of the model.
    """
    return _learnt(learner) | _buffers(learner) | _moments(learner)


@torch.no_grad()
def restore(learner: Learner, tensors: Mapping[str, Tensor], schedule: Mapping) -> None:
    """Write a state into a learner that was just built; ValueError if it does not fit.

    A learner that a state did not fit holds a part of it, and is of no use.
    """
    _write(_learnt(learner), tensors)
    _write_buffers(learner, tensors)
    _write_moments(learner, tensors)
    learner.schedule.load_state_dict(dict(schedule))
    rates = learner.schedule.get_last_lr()
    for group, rate in zip(learner.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def _learnt(learner: Learner) -> Tensors:
    """The parameters themselves; what does not learn of an objective, an encoder, is no state."""
    objective = learner.objective.named_parameters()
    return {
        **{f"model/{name}": p for name, p in learner.model.named_parameters()},
        **{f"ema/{name}": p for name, p in learner.ema.named_parameters()},
        **{f"objective/{name}": p for name, p in objective if p.requires_grad},
    }


def _buffers(learner: Learner) -> Tensors:
    return {f"buffer/{name}": x for name, x in buffers(learner.model).items()}


def _moments(learner: Learner) -> Tensors:
    """The optimizer's tensors; a parameter that has had no gradient yet has none."""
    return {
        f"optimizer/{i}/{name}": value
        for i, p in enumerate(_in_groups(learner))
        for name, value in learner.optimizer.state.get(p, {}).items()
    }


def _in_groups(learner: Learner) -> list[Tensor]:
    return [p for group in learner.optimizer.param_groups for p in group["params"]]


def _write(into: Tensors, tensors: Mapping[str, Tensor]) -> None:
    """Write by name; in their own memory, for the optimizer and others hold these very tensors."""
    for name, value in into.items():
        found = tensors.get(name)
        if found is None or (found.shape, found.dtype) != (value.shape, value.dtype):
            raise ValueError(f"{name} has another form")
        value.copy_(found)


def _write_buffers(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Write the buffers; ValueError if some share memory here, and held different values."""
    own = buffers(learner.model)
    held = {name: tensors[f"buffer/{name}"].to(x.device) for name, x in own.items()}
    try:
        restore_buffers(own, held)
    except RuntimeError as error:  # one is expanded, and cannot be written
        raise ValueError(str(error)) from None
    for name, x in own.items():
        if tensor_content(x) != tensor_content(held[name]):
            raise ValueError(f"the buffer {name} shares its memory")


def _write_moments(learner: Learner, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimizer its tensors, laid out in memory like their parameters."""
    for i, p in enumerate(_in_groups(learner)):
        start = f"optimizer/{i}/"
        for name in (each for each in tensors if each.startswith(start)):
            held = tensors[name]
            made = torch.empty_like(p if held.shape == p.shape else held, dtype=held.dtype)
            learner.optimizer.state[p][name.removeprefix(start)] = made.to(p.device).copy_(held)
