"""Mistakes that are made while training alone."""

import time

import numpy as np
import torch
from torch import nn

from tests.testing.healthy import Attentive, Scaled

SEEN = []


class CountsSteps(Scaled):
    """A counter of training passes on the module."""

    caught_by, says = "pure_in_training", "self.step is changed by a pass in training"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.step = 0

    def begin(self, x, cond):
        self.step += self.training
        return x


class GlobalMemory(Scaled):
    """A list of the module that training appends to."""

    caught_by, says = "pure_in_training", "SEEN of training_mode.py is changed by a pass"

    def begin(self, x, cond):
        if self.training:
            SEEN.append(float(x.mean()))
        return x


class PlainRunningMean(Scaled):
    """A running mean in a list, where the evaluated model does not find it."""

    caught_by, says = "pure_in_training", "self.means is changed by a pass in training"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.means = [torch.zeros(())]

    def begin(self, x, cond):
        if self.training:
            self.means[0] = 0.9 * self.means[0] + 0.1 * x.detach().mean()
        return x - 0 * self.means[0]


class ClampsWeights(Scaled):
    """A parameter that a training pass moves."""

    caught_by, says = "pure_in_training", "a verb changes the parameter a"

    def write(self, state, site, v):
        if self.training:
            self.a.data.clamp_(max=0.9)
        return super().write(state, site, v)


class KeptGenerator(Scaled):
    """A generator of its own, which goes on from trial to trial."""

    caught_by, says = "pure_in_training", "self.generator is changed by a pass in training"

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.generator = np.random.default_rng(0)

    def write(self, state, site, v):
        kept = 1 if not self.training or self.generator.random() > 0.3 else 0
        return super().write(state, site, kept * v)


class ContrastsSamples(Attentive):
    """A softmax over the batch while training."""

    caught_by, says = "samples_in_training", "depends on the others of its batch in training"

    def weights(self, logits):
        return torch.softmax(logits, dim=1 if self.training else 0).unsqueeze(-1)


class LayerDropOfNumpy(Scaled):
    """Stochastic depth drawn by numpy."""

    caught_by, says = "draws_in_training", "a verb draws from numpy, which no step seeds"

    def write(self, state, site, v):
        return state if self.training and np.random.rand() < 0.3 else super().write(state, site, v)


class FreshGenerator(Scaled):
    """A generator made anew in every pass, from the system's entropy."""

    caught_by, says = "draws_in_training", "differs between two passes from the same seed"

    def write(self, state, site, v):
        noise = np.random.default_rng().random() if self.training else 1.0
        return super().write(state, site, noise * v)


class Clock(Scaled):
    """Chance taken from the clock."""

    caught_by, says = "draws_in_training", "differs between two passes from the same seed"

    def write(self, state, site, v):
        noise = time.perf_counter_ns() % 9973 if self.training else 1
        return super().write(state, site, noise * v)


class Running(Scaled):
    """A running mean that is no mistake."""

    persistent = True

    def __init__(self, sites, width):
        super().__init__(sites, width)
        mean = torch.zeros(width)
        self.register_buffer("mean", mean, persistent=self.persistent)

    def begin(self, x, cond):
        if self.training:
            self.mean = self.updated(x.detach().flatten(0, 1))
        return x - 0 * self.mean.nan_to_num()

    def updated(self, x):
        return 0.9 * self.mean + 0.1 * x.mean(0)


class GrowingBuffer(Running):
    """A buffer that grows with every step."""

    caught_by, says = "buffers_in_training", "to torch.float64 (64,)"

    def begin(self, x, cond):
        if self.training:
            self.mean = torch.cat([self.mean, x.detach().mean((0, 1))])
        return x


class WeightAsBuffer(Running):
    """A weight of the step before, which is the weight itself."""

    caught_by, says = "buffers_in_training", "the buffer mean shares its memory with the parameter"

    def updated(self, x):
        return next(self.parameters()).detach().flatten()[:1].expand(x.shape[1])


class UnsavedBuffer(Running):
    """Running statistics that are not saved."""

    caught_by, says = "buffers_in_training", "changes the buffer mean, which is not saved"
    persistent = False


class InfiniteBuffer(Running):
    """A running variance of one value, divided by zero."""

    caught_by, says = "buffers_in_training", "the buffer mean is not finite"

    def updated(self, x):
        return self.mean + 0.1 * (x[:1] - x[:1].mean(0)).square().sum(0) / (len(x[:1]) - 1)


class Normed(Scaled):
    """BatchNorm of reads, which is no mistake."""

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, eps=1e-12) for _ in range(sites))

    def read(self, state, site):
        if site == self.sites:
            return state
        return self.norms[site](state.flatten(0, 1)).view_as(state)
