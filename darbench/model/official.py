"""State dicts of the official SiT code: its keys are ours, less those under `routing.`."""

from collections.abc import Mapping

from torch import Tensor

from darbench.model.sit import SiT

PREFIX = "routing."


def load_official(model: SiT, state: Mapping[str, Tensor]) -> list[str]:
    """Load an official SiT state dict; returns the routing keys that keep their initial values.

    It is strict for `add`, which has none. A checkpoint with learn_sigma loads into a model
    without it: the second half of the head's channels, which the official forward drops, is left
    out.
    Raises ValueError naming the keys that are missing, unexpected or of another shape.
    """
    state = dict(state)
    for key in ("final_layer.linear.weight", "final_layer.linear.bias"):
        if key in state:
            state[key] = _without_sigma(state[key], model)
    own = model.state_dict()
    trunk = {key for key in own if not key.startswith(PREFIX)}
    problems = [f"missing {key}" for key in sorted(trunk - state.keys())]
    problems += [f"unexpected {key}" for key in sorted(state.keys() - trunk)]
    for key in sorted(trunk & state.keys()):
        if state[key].shape != own[key].shape:
            problems.append(f"{key} is {tuple(state[key].shape)}, not {tuple(own[key].shape)}")
    if problems:
        raise ValueError(f"not this model's SiT state dict: {'; '.join(problems[:5])}")
    return model.load_state_dict(state, strict=False).missing_keys


def to_official(model: SiT) -> dict[str, Tensor]:
    """The state dict without the routing: what the official `add` model would hold."""
    return {k: v for k, v in model.state_dict().items() if not k.startswith(PREFIX)}


def _without_sigma(weight: Tensor, model: SiT) -> Tensor:
    """The head's weight or bias for the first half of the channels only; as given if it has no
    second half. Its rows are ordered (p, q, channel)."""
    rows = model.final_layer.linear.out_features
    if weight.shape[0] != 2 * rows or rows != model.patch**2 * model.channels:
        return weight
    tiles = weight.unflatten(0, (model.patch**2, 2 * model.channels))
    return tiles[:, : model.channels].flatten(0, 1)
