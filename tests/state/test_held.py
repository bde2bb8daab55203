"""What code holds has one fingerprint wherever it holds the same, and another elsewhere."""

import functools
import itertools
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from darbench.state.held import Content, held_by, held_by_code


def endless():
    found = [1.0]
    found.append(found)
    return found


def shared(first):
    one, two = [1.0], [2.0]
    return [one, two, one if first else two]


MADE = {
    "plain": lambda n: (n, str(n), None, True),
    "array": lambda n: {"a": np.full(3, n), "b": np.float32(n)},
    "of objects": lambda n: np.array([n, "x"], dtype=object),
    "tensor": lambda n: [torch.full((2,), n), nn.Parameter(torch.full((2,), n))],
    "sparse": lambda n: torch.full((2, 2), n).to_sparse(),
    "module": lambda n: nn.Linear(1, 1).requires_grad_(False).apply(
        lambda part: nn.init.constant_(part.weight, n) and nn.init.zeros_(part.bias)
    ),
    "set": lambda n: {f"a{i}" for i in range(20)} | {str(n)},
    "generator": lambda n: np.random.default_rng(int(n)),
    "of torch": lambda n: torch.Generator().manual_seed(int(n)),
    "partial": lambda n: functools.partial(max, n),
    "counter": lambda n: itertools.count(int(n)),
    "logger": lambda n: (logging.getLogger("mine"), n),
    "itself": lambda n: [endless(), n],
    "which of two": lambda n: shared(n > 1),
    "function": lambda n: max if n > 1 else min,
}  # fmt: skip


@pytest.mark.parametrize("what", MADE)
def test_the_content_alone_counts(what):
    one, again, other = (repr(Content().of(MADE[what](n))) for n in (1.0, 1.0, 2.0))
    assert one == again != other


def test_another_process_finds_the_same():
    said = (
        "import tests.state.test_held as t\n"
        "print([t.Content().of(make(1.0)) for make in t.MADE.values()])"
    )
    found = {
        subprocess.check_output(
            [sys.executable, "-c", said], env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("0", "1")
    }
    assert len(found) == 1


def test_folders_do_not_count_and_names_of_files_within_a_text_do():
    of = [
        Content().of([f"{folder}/mine", Path(folder, "mine"), f"read '{folder}/{name}'"])
        for folder, name in (("/a/b", "x.npy"), ("/c", "x.npy"), ("/c", "y.npy"))
    ]
    assert of[0] == of[1] != of[2]


class Own(nn.Module):
    def __init__(self, scale, weight):
        super().__init__()
        self.scale, self.part = scale, nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.part.weight, weight)


def test_parameters_and_attributes_of_all_parts_are_named():
    one, scaled, weighed = (held_by(Own(s, w)) for s, w in ((1, 2), (2, 2), (1, 3)))
    assert one == held_by(Own(1, 2)) == held_by(pickle.loads(pickle.dumps(Own(1, 2))))
    assert [n for n in one if one[n] != scaled[n]] == ["self.scale"]
    assert [n for n in one if one[n] != weighed[n]] == ["self.part.weight"]


SCALE = 1.0


def scaled(x):
    return SCALE * x


def test_what_a_function_uses_is_found(monkeypatch):
    before = held_by_code(scaled)
    assert [*before] == ["SCALE of test_held.py"]
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    assert held_by_code(scaled) != before
