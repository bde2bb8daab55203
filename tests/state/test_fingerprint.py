"""Equal content, equal fingerprint; and no fingerprint for what changes with training anyway."""

import array
import contextvars
import ctypes
import functools
import io
import logging
import queue
import random
import re
import signal
import struct
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import nn

from darbench.state.fingerprint import Fingerprint, changed


@dataclass
class Record:
    values: list = field(default_factory=list)


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


def bump(array):
    array[..., 0] += 1


def bump_first(values):
    values[0] += 1


def remembering():
    kept = functools.cache(lambda: [[]])
    kept()
    return kept


HELD = {}
VIEWED = MappingProxyType(HELD)
CHANGES = {
    "bfloat16": (lambda: torch.zeros(3, dtype=torch.bfloat16), bump),
    "a scalar tensor": (lambda: torch.tensor(1), lambda x: x.add_(1)),
    "through .data": (lambda: torch.zeros(3), lambda x: x.data.add_(1)),
    "meta": (lambda: torch.zeros(3, device="meta"), lambda x: x.add_(1)),
    "array": (lambda: np.zeros(3), bump),
    "array of objects": (lambda: np.array([[1], [2]], dtype=object), bump),
    "nan to nan": (lambda: [float("nan")], lambda x: x.append(float("nan"))),
    "true for one": (lambda: [1], lambda x: x.__setitem__(0, True)),
    "set": (set, lambda x: x.add(1)),
    "nested": (lambda: {"a": [{}]}, lambda x: x["a"][0].update(b=1)),
    "default dict": (lambda: defaultdict(int), lambda x: x["a"]),
    "counter": (Counter, lambda x: x.update("a")),
    "namespace": (lambda: SimpleNamespace(a=1), lambda x: setattr(x, "a", 2)),
    "dataclass": (Record, lambda x: x.values.append(1)),
    "slots": (Slotted, lambda x: setattr(x, "value", 1)),
    "random": (lambda: random.Random(0), lambda x: x.random()),
    "numpy's": (lambda: np.random.RandomState(0), lambda x: x.random()),
    "torch's": (torch.Generator, lambda x: torch.rand(1, generator=x)),
    "storage": (lambda: torch.zeros(2).untyped_storage(), lambda x: x.fill_(1)),
    "array.array": (lambda: array.array("d", [0.0]), bump_first),
    "ctypes": (lambda: (ctypes.c_double * 2)(), bump_first),
    "ctypes' number": (lambda: ctypes.c_long(0), lambda x: setattr(x, "value", 1)),
    "memoryview": (lambda: memoryview(bytearray(2)), bump_first),
    "thread's": (threading.local, lambda x: setattr(x, "n", 1)),
    "bytes in memory": (io.BytesIO, lambda x: x.write(b"1")),
    "text in memory": (io.StringIO, lambda x: x.write("1")),
    "file": (lambda: Path(__file__).open(), lambda x: x.readline()),  # noqa: SIM115
    "context's": (lambda: contextvars.ContextVar("n"), lambda x: x.set(1)),
    "queue": (queue.Queue, lambda x: x.put(1)),
    "kept by functools": (remembering, lambda x: x()[0].append(1)),
    "a view of a dict": (lambda: VIEWED, lambda x: HELD.update(a=1)),
    "module": (lambda: [nn.BatchNorm1d(2)], lambda x: x[0].running_mean.add_(1)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_content_decides(name):
    make, change = CHANGES[name]
    value = make()
    before = Fingerprint().of(value)
    assert Fingerprint().of(value) == before
    change(value)
    assert Fingerprint().of(value) != before


@pytest.mark.parametrize(
    "value",
    [threading.Lock(), re.compile("a"), Path("a"), print, nn, nn.Linear, nn.Linear(2, 2), 1e400],
    ids=lambda value: type(value).__name__,
)
def test_anything_has_one(value):
    assert Fingerprint().of(value) == Fingerprint().of(value)


USES = {
    "logger": (lambda: logging.getLogger("darbench.test"), lambda x: x.debug("a")),
    "lock": (threading.RLock, lambda x: (x.acquire(), x.release())),
    "path": (lambda: Path("a") / "b.txt", lambda x: (str(x), hash(x), x.suffix, x.parent)),
    "pattern": (lambda: re.compile("a+"), lambda x: x.match("aa")),
    "enumeration": (lambda: list(signal.Signals), lambda x: x[0].name),
    "annotation": (lambda: [int | None, Any, TypeVar("T")], lambda x: hash(x[0])),
    "event": (threading.Event, lambda x: x.is_set()),
    "partial": (lambda: functools.partial(int, base=2), lambda x: x("1")),
    "struct": (lambda: struct.Struct("d"), lambda x: x.pack(1.0)),
}


@pytest.mark.parametrize("name", USES)
def test_what_is_used_and_holds_nothing_new_is_as_it_was(name):
    make, use = USES[name]
    value = make()
    before = Fingerprint().of(value)
    use(value)
    assert Fingerprint().of(value) == before


def test_a_cycle_ends():
    value = []
    value.append(value)
    before = Fingerprint().of(value)
    value.append(1)
    assert Fingerprint().of(value) != before


def test_parameters_learn_and_global_generators_are_everybodys():
    weight, buffer = nn.Parameter(torch.zeros(2)), torch.zeros(2)
    values = [weight, buffer, random.random, np.random.random, torch.default_generator]
    before = Fingerprint([buffer]).of(values)
    weight.data += 1
    buffer += 1
    random.random()
    np.random.random()
    torch.rand(1)
    assert Fingerprint([buffer]).of(values) == before


def test_what_differs_is_named():
    assert changed({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 4, "d": 5}) == ["b", "c", "d"]
