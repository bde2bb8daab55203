"""A worker loads a copy of a user's file and all that belongs to it, and checks what it finds."""

import os
import re
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from darbench.errors import BadInput
from darbench.registry import ENCODERS, ROUTINGS
from darbench.registry.bundle import BUNDLES, bundle_of
from darbench.testing import check_routing
from darbench.testing.rehearsal import load_rehearsed
from darbench.testing.travel import Parcel
from tests.make.users import files, routing

OPS = "SCALE = 2.0\ndef mix(s, v):\n    return s + SCALE * v\n"
HERE = "from pathlib import Path\nimport numpy as np\nHERE = Path(__file__).parent\n"
TOP = HERE + "from my_ops import mix\nT = np.load(HERE / 'table.npy')\n"
# What no pickle takes.
LOCKED = TOP + "import threading\nLOCK = threading.Lock()\nmade = (x for x in [])\n"

pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture
def mine(tmp_path):
    np.save(tmp_path / "table.npy", np.ones(3))
    text = routing(LOCKED, write="mix(state, v) if LOCK and T.sum() == 3 else 0")
    return files(tmp_path, mine=text, my_ops=OPS)


def passed(name: str = "mine") -> str:
    (result,) = check_routing(name, only=["travels"])
    return result.message


@pytest.fixture
def elsewhere(tmp_path_factory, monkeypatch):
    """Load a parcel as a process does that has loaded nothing yet."""

    def load(parcel):
        monkeypatch.setattr(ROUTINGS, "_made", {})
        monkeypatch.setattr(ENCODERS, "_made", {})
        parcel.load()

    return load


def test_a_copy_works_without_the_original(mine, tmp_path_factory, elsewhere):
    load_rehearsed(mine)
    bundle = bundle_of(ROUTINGS.get("mine"))
    parcel = Parcel.of(bundle, tmp_path_factory.mktemp("worker"))
    for path in mine.parent.iterdir():
        path.unlink() if path.is_file() else None
    elsewhere(parcel)
    cls = ROUTINGS.get("mine")
    assert bundle_of(cls) is not bundle
    assert cls(4, 8).write(torch.ones(1), 0, torch.ones(1)).item() == 3.0


@pytest.mark.parametrize("changed", ["my_ops.py", "table.npy", "mine.py"])
def test_an_edited_copy_is_refused_every_time(mine, tmp_path_factory, elsewhere, changed):
    load_rehearsed(mine)
    parcel = Parcel.of(bundle_of(ROUTINGS.get("mine")), tmp_path_factory.mktemp("worker"))
    path = parcel.file.with_name(changed)
    if path.suffix == ".npy":
        np.save(path, np.zeros(3))
    else:
        path.write_text(path.read_text() + "\nMORE = 1\n")
    for load in (elsewhere, Parcel.load):
        with pytest.raises(BadInput, match=r"mine\.py: what it reads or imports is not what it"):
            load(parcel)


def test_a_file_that_is_read_where_it_lies_must_stay_as_it_was(mine, tmp_path_factory, elsewhere):
    mine.write_text(mine.read_text().replace("HERE / 'table.npy'", f"'{mine.parent}/table.npy'"))
    load_rehearsed(mine)
    parcel = Parcel.of(bundle_of(ROUTINGS.get("mine")), tmp_path_factory.mktemp("worker"))
    elsewhere(parcel)
    BUNDLES.popitem()
    np.save(mine.parent / "table.npy", np.zeros(3))
    with pytest.raises(BadInput, match="is not what it was when mine was hashed"):
        elsewhere(parcel)


def test_the_check_passes_what_travels_and_leaves_no_trace(mine):
    load_rehearsed(mine)
    before = ROUTINGS.get("mine"), {*BUNDLES}, {*sys.modules}
    assert passed() == "" == passed("add")
    assert (ROUTINGS.get("mine"), {*BUNDLES}, {*sys.modules}) == before


BROKEN = {
    "a file that a library opens": HERE
    + "from safetensors.numpy import load_file\nload_file(HERE / 'w.safetensors')",
    "a file that is there and not read": HERE + "assert (HERE / 'table.npy').exists()",
    "a process that must be the first": (
        "import os\nassert not os.environ.get('ONCE')\nos.environ['ONCE'] = '1'"
    ),
}
# What decides a number, and may be another one in a worker.
OTHERWISE = {
    "whether a file is there": "3.0 if (HERE / 'table.npy').exists() else 1.0",
    "which files are there": "len([*HERE.iterdir()])",
    "a generator without a seed": "np.random.default_rng().random()",
    "a clock": "time.perf_counter_ns() % 997",
}
PLACES = {
    "SCALE of mine.py": lambda n: routing(f"{CLOCK}SCALE = {n}", write="state + SCALE * v"),
    "self.scale": lambda n: routing(CLOCK, init=f"self.scale = {n}", write="self.scale * v"),
    "self.scale of a buffer": lambda n: routing(
        CLOCK, init=f"self.register_buffer('scale', torch.tensor({n}))", write="self.scale * v"
    ),
    "what it reads": lambda n: routing(CLOCK, begin=f"x = x * ({n})"),
}
CLOCK = HERE + "import time\nimport torch\n"


@pytest.mark.parametrize("what", BROKEN)
def test_the_check_says_what_a_worker_cannot_load(mine, monkeypatch, what):
    monkeypatch.setattr(os, "environ", {**os.environ})
    save_file({"w": np.ones(3)}, mine.with_name("w.safetensors"))
    mine.write_text(routing(BROKEN[what]))
    load_rehearsed(mine)
    monkeypatch.setitem(os.environ, "ONCE", "1")
    assert passed().startswith("mine.py:") and "Error: " in passed()
    assert "\nTo mend: " in passed()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", OTHERWISE)
def test_a_copy_that_would_compute_with_another_number_is_refused(mine, what, place):
    mine.write_text(PLACES[place](OTHERWISE[what]))
    load_rehearsed(mine)
    named = re.escape(place.removesuffix(" of a buffer"))
    assert re.search(rf"is not what it was when mine was hashed \({named}", passed())


def test_a_copy_of_what_a_seed_draws_is_the_same(mine):
    init = "self.w = torch.nn.Parameter(torch.randn(3)); self.r = np.random.random()"
    top = CLOCK + "import logging, threading\nLOG = logging.getLogger(__name__)\nDRAWN = "
    drawn = "(torch.rand(3), np.random.rand(), np.random.default_rng(0), str(HERE), HERE.parent)"
    mine.write_text(routing(top + drawn, init=init, write="state + v if LOG and DRAWN else 0"))
    load_rehearsed(mine)
    assert passed() == ""
