"""Mistakes of the constructor, of what is saved and of what is handed to the optimiser."""

import numpy as np
import torch
from torch import nn

from tests.testing.healthy import Attentive, Scaled


class PositionalHyperparameter(Scaled):
    """A search parameter that is taken by position."""

    caught_by, says = "constructible", "takes (sites, width, gain) by position"

    def __init__(self, sites, width, gain=1.0):
        super().__init__(sites, width)
        nn.init.constant_(self.a, gain)


class MisspeltGate(Scaled):
    """A form of the gate that does not exist."""

    caught_by, says = "constructible", "gate is 'adaln_zero'"
    gate = "adaln_zero"


class DrawnWithNumpy(Attentive):
    """Initial values from a generator that the trial's seed does not reach."""

    caught_by, says = "reproducible", "w differs between two routings"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.w.data += torch.from_numpy(np.random.default_rng().normal(size=(sites + 1, width)))


class PlainTensor(Scaled):
    """A constant kept as a bare attribute: not saved, not moved to the device."""

    caught_by, says = "state_dict_round_trip", "signs is a plain tensor"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.signs = torch.ones(sites)

    def write(self, state, site, v):
        return state + self.a[site] * self.signs[site] * v


class UnsavedBuffer(Scaled):
    """A random choice of the constructor that no checkpoint holds."""

    caught_by, says = "state_dict_round_trip", "something drawn in __init__ is not saved"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.register_buffer("signs", torch.randn(sites), persistent=False)

    def write(self, state, site, v):
        return state + self.a[site] * self.signs[site] * v


class LazyParameter(Scaled):
    """A parameter that is made in the first pass, after the optimiser."""

    caught_by, says = "state_dict_round_trip", "the state dict changed during a pass: gain"

    def begin(self, x, cond):
        if not hasattr(self, "gain"):
            self.gain = nn.Parameter(torch.ones_like(x[0, 0]))
        return self.gain * x


class ForgottenByTheGroups(Attentive):
    """Parameter groups that leave a parameter out: it would never be trained."""

    caught_by, says = "parameter_groups", "parameter w_t is in 0 of the groups"

    def parameter_groups(self):
        return [{"params": [self.w], "lr_mult": self.lr_mult, "weight_decay": None}]


class LrMultIgnored(Scaled):
    """A learning-rate multiplier that is taken and not applied."""

    caught_by, says = "parameter_groups", "with lr_mult=0.25 the groups have [1.0]"

    def __init__(self, sites, width, *, lr_mult: float = 1.0):
        super().__init__(sites, width)


class GlobalDtype(Scaled):
    """A constructor that changes a global default, and with it the trunk."""

    caught_by, says = "official_keys", "starts from other values than with add"

    def __init__(self, sites, width):
        torch.set_default_dtype(torch.float64)
        super().__init__(sites, width)


class FunctionOfSelf(Scaled):
    """A function on the module that refers to it: a copy still has the original's."""

    caught_by, says = "copies_are_apart", "depends on parameters of the original"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.gain = lambda site: self.a[site]

    def write(self, state, site, v):
        return state + self.gain(site) * v


class HookOfSelf(Scaled):
    """A hook of a part that refers to the whole."""

    caught_by, says = "copies_are_apart", "depends on parameters of the original"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.part = nn.Identity()
        self.part.register_forward_hook(lambda part, given, out: self.a[0] * out)

    def write(self, state, site, v):
        return state + self.part(v)
