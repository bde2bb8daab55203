"""State dicts of the official SiT code: its keys are ours, less those of OURS."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from darbench.model.sit import SiT

OURS = ("routing.", "skip.")
# Under which names training code saves a model. The official sampling takes `ema` where it is.
SAVED_AS = ("ema", "model", "state_dict")
WRAPPERS = ("module.", "_orig_mod.")  # what DistributedDataParallel and torch.compile put before


def load_official(model: SiT, saved: Mapping[str, Any]) -> list[str]:
    """Load an official SiT state dict; returns the keys of OURS, which keep their initial values.

    Of a whole checkpoint the weights under `ema` are taken, or else those under `model`; prefixes
    of wrappers are dropped. It is strict for `add`, which has no such keys. A checkpoint with
    learn_sigma loads into a model without it: the second half of the head's channels, which the
    official forward drops, is left out.
    ValueError as for `fitting`.
    """
    return model.load_state_dict(fitting(model, saved), strict=False).missing_keys


def fitting(model: SiT, saved: Mapping[str, Any]) -> dict[str, Any]:
    """What `load_official` loads, if it can; the model may be on the meta device.

    Raises ValueError naming the keys that are missing, unexpected, of another shape, or no finite
    floating-point tensors.
    """
    state = unwrapped(saved)
    for key in ("final_layer.linear.weight", "final_layer.linear.bias"):
        if isinstance(state.get(key), Tensor):
            state[key] = _without_sigma(state[key], model)
    own = model.state_dict()
    trunk = {key for key in own if not key.startswith(OURS)}
    problems = [f"missing {key}" for key in sorted(trunk - state.keys())]
    problems += [f"unexpected {key}" for key in sorted(state.keys() - trunk)]
    for key in sorted(trunk & state.keys()):
        problems += _unfit(key, state[key], own[key])
    if problems:
        raise ValueError(f"not this model's SiT state dict: {'; '.join(problems[:5])}")
    return state


def to_official(model: SiT) -> dict[str, Tensor]:
    """The state dict without routing and skip: what the official `add` model would hold."""
    return {k: v for k, v in model.state_dict().items() if not k.startswith(OURS)}


def unwrapped(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The weights alone, under the keys of the official code."""
    while found := [saved[k] for k in SAVED_AS if isinstance(saved.get(k), Mapping) and saved[k]]:
        saved = found[0]
    state = dict(saved)
    while state and (wrapper := _wrapper(state)):
        state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _wrapper(keys: Iterable[str]) -> str | None:
    """The wrapper whose prefix all keys have, if there is one."""
    return next((w for w in WRAPPERS if all(key.startswith(w) for key in keys)), None)


def _unfit(key: str, given: Any, own: Tensor) -> list[str]:
    """Why this value cannot be the weight of that key; empty if it can."""
    if not isinstance(given, Tensor) or not given.is_floating_point():
        kind = given.dtype if isinstance(given, Tensor) else type(given).__name__
        return [f"{key} is {kind}, no floating-point tensor"]
    if given.shape != own.shape:
        return [f"{key} is {tuple(given.shape)}, not {tuple(own.shape)}"]
    if not torch.isfinite(given).all():
        return [f"{key} is not finite"]
    return []


def _without_sigma(weight: Tensor, model: SiT) -> Tensor:
    """The head's weight or bias for the first half of the channels only; as given if it has no
    second half. Its rows are ordered (p, q, channel)."""
    rows = model.final_layer.linear.out_features
    if weight.shape[:1] != (2 * rows,) or rows != model.patch**2 * model.channels:
        return weight
    tiles = weight.unflatten(0, (model.patch**2, 2 * model.channels))
    return tiles[:, : model.channels].flatten(0, 1)
