"""Routings that carry something from pass to pass in what their code can reach."""

import array
import functools
import random
import threading
import time

from tests.trial import routings
from tests.trial.held import Held

COUNT = 0
LOG = []
MEMO = {}
NUMBERS = array.array("d", [0.0])
LOCAL = threading.local()


class Settings:
    scale = 1.0
    steps = 0


SETTINGS = Settings()


@functools.cache
def scale(step):
    return 1.0


def tally(seen=[]):  # noqa: B006
    seen.append(1)


def counted():
    counted.calls = getattr(counted, "calls", 0) + 1


def closed():
    total = 0

    def add():
        nonlocal total
        total += 1

    return add


CLOSED = closed()


class Reaching(Held):
    """A routing that leaves something outside of itself."""


class Global(Reaching):
    names = "COUNT of reached.py"

    def passing(self, x):
        global COUNT
        COUNT += 1


class GlobalList(Reaching):
    names = "LOG of reached.py"

    def passing(self, x):
        LOG.append(1)


class GlobalDict(Reaching):
    names = "MEMO of reached.py"

    def passing(self, x):
        MEMO[len(MEMO)] = x


class GlobalObject(Reaching):
    names = "SETTINGS of reached.py"

    def passing(self, x):
        SETTINGS.steps += 1


class GlobalOfANeighbour(Reaching):
    names = "SEEN of routings.py"

    def passing(self, x):
        routings.SEEN += 1


class OfTheClass(Reaching):
    names, steps = "OfTheClass.steps", 0

    def passing(self, x):
        OfTheClass.steps += 1


class OfAnotherClass(Reaching):
    names = "Settings.steps"

    def passing(self, x):
        Settings.steps += 1


class Memo(Reaching):
    names = "scale of reached.py"

    def passing(self, x):
        scale(len(LOG) + random.Random(time.perf_counter_ns()).random())


class DefaultOfAFunction(Reaching):
    names = "default 0 of tally"

    def passing(self, x):
        tally()


class AttributeOfAFunction(Reaching):
    names = "calls of counted"

    def passing(self, x):
        counted()


class Closure(Reaching):
    names = "total of closed.<locals>.add"

    def passing(self, x):
        CLOSED()


class GlobalArray(Reaching):
    names = "NUMBERS of reached.py"

    def passing(self, x):
        NUMBERS[0] += 1


class OfAThread(Reaching):
    names = "LOCAL of reached.py"

    def passing(self, x):
        LOCAL.n = getattr(LOCAL, "n", 0) + 1


REACHING = Reaching.__subclasses__()
