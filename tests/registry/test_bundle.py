"""A bundle holds all of the user's that decides a number, and nothing opened later gets in."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import darbench
from darbench.errors import BadInput
from darbench.registry import ROUTINGS
from darbench.registry.bundle import bundle_of
from darbench.state.ownership import is_users
from darbench.testing.rehearsal import load_rehearsed
from tests.make.users import files, routing

OPS = "SCALE = 1.0\ndef mix(s, v):\n    return s + SCALE * v\n"
WITH_OPS = routing("from my_ops import mix", write="mix(state, v)")
HERE = "from pathlib import Path\nimport numpy as np\nHERE = Path(__file__).parent\n"
TABLE = "np.load(HERE / 'table.npy')"

pytestmark = pytest.mark.usefixtures("own_registry")


def hash_of(path: Path, name: str = "mine") -> str:
    load_rehearsed(path)
    return ROUTINGS.source_hash(name)


def test_a_file_alone_keeps_the_hash_it_had(tmp_path):
    """Recorded before bundles: what moves it makes every user's results run again."""
    assert hash_of(files(tmp_path, mine=routing())) == "5ad4c37742a32d25"


def test_a_neighbour_is_part_of_the_hash_by_its_code(tmp_path):
    mine = files(tmp_path, mine=WITH_OPS, my_ops=OPS, unused="x = 1")
    before = hash_of(mine)
    files(tmp_path, my_ops=OPS + "# a comment\n", unused="x = 2")
    assert hash_of(mine) == before
    files(tmp_path, my_ops=OPS.replace("1.0", "2.0"))  # of the same size, within a second
    assert hash_of(mine) != before
    written = ROUTINGS.get("mine")(4, 8).write(torch.ones(1), 0, torch.ones(1))
    assert written.item() == 3.0  # and what runs is what was hashed


@pytest.mark.parametrize(
    "text",
    [
        routing("import my_ops", write="my_ops.mix(state, v)"),
        routing("from lib.inner import mix", write="mix(state, v)"),
        routing("import lib.inner as ops", write="ops.mix(state, v)"),
        routing("import lib.inner", write="lib.inner.mix(state, v)"),
        routing("from . import my_ops as m", write="m.mix(state, v)"),
        routing("import through", write="through.my_ops.mix(state, v)"),
        routing("import importlib as i\nm = i.import_module('my_ops')", write="m.mix(state, v)"),
        routing("import sys; sys.path.insert(0, __file__[:-7] + 'more'); import deep",
                write="deep.mix(state, v)"),
        routing(init="import my_ops; self.mix = my_ops.mix", write="self.mix(state, v)"),
        routing(begin="global mix; from my_ops import mix", write="mix(state, v)"),
        routing("exec(open(__file__[:-7] + 'my_ops.py').read())", write="mix(state, v)"),
    ],
)  # fmt: skip
def test_however_a_neighbour_is_imported_it_counts(tmp_path, text):
    def write(ops):
        mine = files(tmp_path, mine=text, my_ops=ops, through="import my_ops")
        files(tmp_path / "lib", inner="from .ops import mix", ops=ops)
        files(tmp_path / "more", deep=ops)
        return mine

    before = hash_of(write(OPS))
    assert hash_of(write(OPS)) == before
    assert hash_of(write(OPS.replace("1.0", "2.0"))) != before


@pytest.mark.parametrize(
    "text",
    [
        routing(HERE + f"T = {TABLE}"),
        routing(HERE, init=f"self.t = {TABLE}"),
        routing(HERE, begin=f"{TABLE} if self.training else 0"),
        routing(HERE, begin=f"0 if self.training else {TABLE}"),
        routing(HERE + "import io\nT = np.load(io.BytesIO((HERE / 'table.npy').read_bytes()))"),
        routing(HERE + "import os\nos.close(os.open(HERE / 'table.npy', os.O_RDONLY))"),
        routing("import table", write="state + table.T[0] * v"),
    ],
)
def test_a_file_of_numbers_counts_wherever_it_is_read_before_the_trial(tmp_path, text):
    mine = files(tmp_path, mine=text, table=HERE + f"T = {TABLE}")
    hashes = []
    for number in (1.0, 2.0, 1.0):
        np.save(tmp_path / "table.npy", np.full(3, number))
        hashes.append(hash_of(mine))
    assert hashes[0] == hashes[2] != hashes[1]


UNSEEN = {
    "what a library reads": "load_file({folder!r} + '/w.safetensors')['w'].item()",
    "whether a file is there": "3.0 if (HERE / 'big').exists() else 1.0",
    "which files are there": "len([*HERE.glob('b*')])",
    "the environment": "float(os.environ.get('SCALE', 1))",
}


@pytest.mark.parametrize("where", ["top", "init", "write"])
@pytest.mark.parametrize("what", UNSEEN)
def test_a_number_that_comes_from_nowhere_to_be_seen_counts(tmp_path, monkeypatch, what, where):
    """Its results would else be taken for finished that another number made."""
    number = UNSEEN[what].format(folder=str(tmp_path))
    top = f"{HERE}import os\nfrom safetensors.numpy import load_file\n"
    texts = {
        "top": routing(f"{top}SCALE = {number}", write="state + SCALE * v"),
        "init": routing(top, init=f"self.scale = {number}", write="state + self.scale * v"),
        "write": routing(top, write=f"state + ({number}) * v"),
    }
    mine, hashes = files(tmp_path / "own", mine=texts[where]), []
    for number in (1.0, 3.0, 1.0):
        save_file({"w": np.full(1, number)}, tmp_path / "w.safetensors")
        monkeypatch.setenv("SCALE", str(number))
        big = mine.with_name("big")
        big.mkdir() if number > 1 else shutil.rmtree(big, ignore_errors=True)
        hashes.append(hash_of(mine))
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_file_elsewhere_counts_by_its_name_and_content(tmp_path):
    np.save(tmp_path / "table.npy", np.ones(3))
    text = routing(f"import numpy as np\nT = np.load({str(tmp_path / 'table.npy')!r})")
    before = hash_of(files(tmp_path / "one", mine=text))
    np.save(tmp_path / "table.npy", np.zeros(3))
    assert hash_of(tmp_path / "one" / "mine.py") != before


def test_the_hash_does_not_depend_on_where_the_folder_lies(tmp_path):
    files(tmp_path / "one", mine=routing(f"{HERE}import my_ops\nT = {TABLE}"), my_ops=OPS)
    np.save(tmp_path / "one" / "table.npy", np.ones(3))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert hash_of(tmp_path / "one" / "mine.py") == hash_of(tmp_path / "two" / "mine.py")


def test_of_a_routing_in_a_neighbour_only_what_that_uses_counts(tmp_path):
    """So it has one source, whether its file is loaded or imported by another one."""
    base = routing("import my_ops", name="base")
    files(tmp_path, base=base, my_ops=OPS, mine="import base\n" + routing())
    alone = hash_of(tmp_path / "base.py", "base")
    assert hash_of(tmp_path / "mine.py", "base") == alone
    files(tmp_path, my_ops=OPS.replace("1.0", "2.0"))
    assert hash_of(tmp_path / "mine.py", "base") != alone


def test_two_neighbours_elsewhere_with_one_name_have_an_order(tmp_path):
    """Whatever the order of Python's sets, and whatever the comments."""
    top = f"{HERE}import sys\nsys.path.insert(0, str(HERE.parent))\n"
    top += "from liba.ops import A\nfrom libb.ops import B\nfrom libc.ops import C"
    mine = files(tmp_path / "routings", mine=routing(top, write="state + A * B * C * v"))
    for number, lib in enumerate(("liba", "libb", "libc")):
        files(tmp_path / lib, __init__="", ops=f"{lib[-1].upper()} = {number}")
    said = "import sys, tests.registry.test_bundle as t\nprint(t.hash_of(t.Path(sys.argv[1])))"
    command = [sys.executable, "-c", said, mine]
    hashes = {
        subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed}, text=True)
        for seed in ("0", "2", "3")
    }
    assert len(hashes) == 1
    files(tmp_path / "libc", ops="# 0\nC = 2")
    assert hashes == {hash_of(mine) + "\n"}


def test_libraries_and_darbench_do_not_count(tmp_path):
    top = "import numpy, torch, json, tests\nfrom darbench.registry import ROUTINGS"
    load_rehearsed(files(tmp_path, mine=routing(top.replace(", tests", ""))))
    bundle = bundle_of(ROUTINGS.get("mine"))
    assert {*bundle.sources} == {tmp_path / "mine.py"} and not bundle.data
    assert is_users(tmp_path / "mine.py")
    for library in (np.__file__, sysconfig.__file__, darbench.__file__, "/proc/self/status"):
        assert not is_users(library)


LATE = [
    (routing(HERE, begin=f"a = self.sites > 8 and {TABLE}"), "opens table.npy only now"),
    (routing(HERE, init=f"a != 1 and {TABLE}"), "opens table.npy only now"),
    (routing(begin="\n        if self.sites > 8: import my_ops"), "imports my_ops.py only now"),
]


@pytest.mark.parametrize(("text", "complaint"), LATE)
def test_what_is_first_opened_after_the_rehearsal_is_refused(tmp_path, text, complaint):
    np.save(tmp_path / "table.npy", np.ones(3))
    load_rehearsed(files(tmp_path, mine=text, my_ops=OPS))
    with pytest.raises(BadInput, match=rf"mine\.py:.*{complaint}.*(at import|at the top)$"):
        ROUTINGS.get("mine")(9, 8, a=2.0).begin(torch.ones(1), None)


def test_a_file_that_changed_since_is_refused_and_one_that_did_not_is_read_again(tmp_path):
    np.save(tmp_path / "table.npy", np.ones(3))
    load_rehearsed(files(tmp_path, mine=routing(HERE, init=f"self.t = {TABLE}")))
    assert ROUTINGS.get("mine")(4, 8).t.sum() == 3
    np.save(tmp_path / "table.npy", np.zeros(3))
    with pytest.raises(BadInput, match=r"mine\.py:\d+: table\.npy has changed since mine\.py"):
        ROUTINGS.get("mine")(4, 8)


def test_a_file_that_only_the_original_folder_has_is_refused_in_a_copy_too(tmp_path):
    """There it is not to be found, and code that takes another number then would do so unseen."""
    late = "open(HERE / f'k{self.sites}.txt').read()"
    load_rehearsed(files(tmp_path, mine=routing(HERE, init=f"self.sites > 8 and {late}")))
    with pytest.raises(BadInput, match=r"mine\.py:\d+: opens k9\.txt only now"):
        ROUTINGS.get("mine")(9, 8)


def test_a_file_that_was_missing_must_stay_so(tmp_path):
    missed = "\n        try: open(HERE / 'no.txt')\n        except OSError: pass"
    before = hash_of(files(tmp_path, mine=routing(HERE, init=missed)))
    assert ROUTINGS.get("mine")(9, 8)
    (tmp_path / "no.txt").write_text("1")
    with pytest.raises(BadInput, match=r"no\.txt has changed since mine\.py was loaded"):
        ROUTINGS.get("mine")(9, 8)
    assert hash_of(tmp_path / "mine.py") != before


@pytest.mark.parametrize("mode", ["w", "w+", "a"])
def test_what_is_written_is_no_business_of_the_bundle(tmp_path, mode):
    (tmp_path / "log.txt").write_text("")
    begin = f"open(HERE / 'log.txt', '{mode}').write('x')"
    load_rehearsed(files(tmp_path, mine=routing(HERE, begin=f"self.sites > 8 and {begin}")))
    ROUTINGS.get("mine")(9, 8).begin(torch.ones(1), None)
    assert (tmp_path / "log.txt").read_text() == "x"


def test_a_copy_has_all_files_in_the_same_places(tmp_path):
    top = (
        f"{HERE}import sys\nsys.path.append(str(HERE.parent / 'lib'))\nimport my_ops\nT = {TABLE}"
    )
    mine = files(tmp_path / "in" / "own", mine=routing(top), unused="x = 1")
    files(tmp_path / "in" / "lib", my_ops=OPS)
    np.save(tmp_path / "in" / "own" / "table.npy", np.ones(3))
    load_rehearsed(mine)
    copied = bundle_of(ROUTINGS.get("mine")).copy(tmp_path / "out")
    names = {p.relative_to(copied.parents[1]).as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert names == {"own/mine.py", "own/table.npy", "lib/my_ops.py"}
