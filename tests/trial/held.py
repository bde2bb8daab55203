"""Routings that carry something from pass to pass on themselves, outside of their buffers."""

import copy
import itertools
import random
from collections import deque

import numpy as np
import torch
from torch import nn

from darbench.routing.add import Add


class Held(Add):
    """A routing with something on it; `passing` is what every pass does in training."""

    made = staticmethod(lambda: None)

    def __init__(self, sites, width):
        super().__init__(sites, width)
        self.w = nn.Parameter(torch.ones(width))
        self.held = type(self).made()

    def begin(self, x, cond):
        if self.training:
            self.passing(x.detach())
        return self.w * x

    def passing(self, x):
        pass


class PlainTensor(Held):
    made, names = staticmethod(lambda: torch.zeros(())), "self.held"

    def passing(self, x):
        self.held = 0.9 * self.held + 0.1 * x.mean()


class TensorInPlace(PlainTensor):
    def passing(self, x):
        self.held.add_(1)


class TensorInAList(Held):
    made, names = staticmethod(lambda: [torch.zeros(())]), "self.held"

    def passing(self, x):
        self.held[0] += 1


class Counter(Held):
    made, names = staticmethod(lambda: 0), "self.held"

    def passing(self, x):
        self.held += 1


class NewAttribute(Held):
    names = "self.last"

    def passing(self, x):
        self.last = x


class CounterOfAPart(Held):
    made, names = staticmethod(nn.Identity), "self.held.calls"

    def passing(self, x):
        self.held.calls = getattr(self.held, "calls", 0) + 1


class Counted:
    steps = 0


class OfAnObject(Held):
    made, names = staticmethod(Counted), "self.held"

    def passing(self, x):
        self.held.steps += 1


class OfItertools(Held):
    made, names = staticmethod(itertools.count), "self.held"

    def passing(self, x):
        next(self.held)


class OfAGenerator(Held):
    made, names = staticmethod(lambda: (i for i in range(10**6))), "self.held"

    def passing(self, x):
        next(self.held)

    def __deepcopy__(self, memo):  # which generators have none of
        made = copy.copy(self)
        made.__dict__ = {**self.__dict__, "_parameters": dict(self._parameters)}
        return made


class OfADeque(Held):
    made, names = staticmethod(lambda: deque(maxlen=4)), "self.held"

    def passing(self, x):
        self.held.append(1)


class OwnTorchGenerator(Held):
    made, names = staticmethod(torch.Generator), "self.held"

    def passing(self, x):
        torch.rand(1, generator=self.held)


class OwnNumpyGenerator(Held):
    made, names = staticmethod(lambda: np.random.default_rng(0)), "self.held"

    def passing(self, x):
        self.held.random()


class OwnRandom(Held):
    made, names = staticmethod(lambda: random.Random(0)), "self.held"

    def passing(self, x):
        self.held.random()


class NewParameter(Held):
    names = "self.w is changed"

    def passing(self, x):
        self.w = nn.Parameter(self.w.detach().clone())


HOLDING = [cls for cls in Held.__subclasses__() if "names" in vars(cls)] + [TensorInPlace]
