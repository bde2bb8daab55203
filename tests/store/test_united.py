"""The union of leaderboards is one of sets: hypothesis looks for an order in which it is not."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darbench.commands.merge import merge
from darbench.errors import BadInput
from darbench.records.canonical import canonical_json
from darbench.store import declared, ledger
from darbench.store.declared import Declared
from darbench.store.place import Place
from darbench.store.united import conflicts, united_rows
from tests.make.folders import append

PLACES = [Place(point={"lr": lr}, split=split) for lr in (1, 2) for split in ("confirm", "search")]
# Rows of four trials, each written at a time of its own.
POOL = [
    {"trial": f"{config}-{seed}", "minutes": minutes, "code": code, "row_hash": f"h{minutes % 3}"}
    for minutes, (config, seed, code) in enumerate(
        (config, seed, code) for config in "ab" for seed in (0, 1) for code in ("c0", "c1", "c2")
    )
]


def mappings(values):
    return st.dictionaries(st.sampled_from("ab"), values, max_size=2)


@st.composite
def leaderboards(draw):
    """Rows of the pool, and what their sweeps declared; current is the source of the last."""
    rows = draw(st.lists(st.sampled_from(POOL), unique_by=lambda row: row["minutes"], max_size=6))
    seeds = st.lists(st.integers(0, 3), unique=True, max_size=3).map(sorted)
    newest = max(rows, key=lambda row: row["minutes"], default=None)
    return rows, Declared(
        command=draw(st.sampled_from(["", "darbench sweep --space x", "darbench sweep"])),
        seeds=draw(mappings(seeds)),
        earlier=draw(mappings(st.dictionaries(st.sampled_from("12"), seeds, max_size=2))),
        commands=draw(mappings(st.sampled_from(["one", "two"]))),
        rank_by=draw(mappings(st.sampled_from(["fd", "val_loss"]))),
        places=draw(mappings(st.lists(st.sampled_from(PLACES), max_size=3))),
        controls=draw(mappings(st.sampled_from(["less", "more"]))),
        sources={"add": newest["code"]} if newest else {},
        files=draw(mappings(st.sampled_from(["mine.py", "other.py"]))),
    )


class Machine:
    """A folder in which leaderboards are written and united."""

    def __init__(self, out: Path):
        self.out, self.count = out, 0

    def write(self, made) -> str:
        rows, said = made
        folder = self.out / self._name()
        for row in rows:
            append(folder, **row)
        (folder / "ledger").mkdir(parents=True, exist_ok=True)
        declared.write(folder, said)
        return folder.name

    def union(self, *names: str) -> str:
        merge(names, to := self._name(), self.out)
        return to

    def content(self, name: str):
        lines = [line for line, _ in ledger.read_lines(self.out / name / "ledger")]
        assert len(lines) == len({*lines})
        return {*lines}, canonical_json(asdict(declared.read(self.out / name)))

    def _name(self) -> str:
        self.count += 1
        return f"m{self.count}"


@settings(max_examples=20, deadline=None)
@given(leaderboards(), leaderboards(), leaderboards())
def test_it_is_commutative_associative_and_idempotent(one, two, three):
    out = Path(tempfile.mkdtemp())
    try:
        machine = Machine(out)
        a, b, c = map(machine.write, (one, two, three))
        ab = machine.union(a, b)
        assert machine.content(ab) == machine.content(machine.union(b, a))
        bc, abc = machine.union(b, c), machine.content(machine.union(ab, c))
        assert (
            abc == machine.content(machine.union(a, bc)) == machine.content(machine.union(c, b, a))
        )
        assert machine.content(machine.union(ab, ab)) == machine.content(ab)
        assert machine.content(machine.union(ab, a)) == machine.content(ab)
        assert machine.content(ab)[0] == machine.content(a)[0] | machine.content(b)[0]
        before = machine.content(ab)
        assert merge([a, b], ab, out)["new"] == 0 and machine.content(ab) == before
    finally:
        shutil.rmtree(out)


def test_a_leaderboard_that_is_there_keeps_its_files_and_gets_what_it_lacks(tmp_path):
    for name, minutes in (("a", 1), ("b", 2), ("c", 3)):
        append(tmp_path / name, f"{name}-0", minutes)
    own = (tmp_path / "a" / "ledger" / "w.jsonl").read_bytes()
    merge(["b"], "a", tmp_path)
    made = merge(["b", "c"], "a", tmp_path)
    assert (made["rows"], made["new"]) == (3, 1)
    assert (tmp_path / "a" / "ledger" / "w.jsonl").read_bytes() == own
    assert {row["trial_id"] for row in ledger.read_ledger(tmp_path / "a" / "ledger")} == {
        "a-0",
        "b-0",
        "c-0",
    }


def test_steps_with_different_numbers_are_listed_and_keep_their_rows(tmp_path):
    append(tmp_path / "a", "x-0", 1, row_hash="h1")
    append(tmp_path / "a", "x-1", 2, row_hash="h1")
    append(tmp_path / "b", "x-0", 3, row_hash="h2")
    append(tmp_path / "b", "x-1", 4, row_hash="h1")
    append(tmp_path / "b", "x-0", 5, row_hash="h3", status="crashed")
    append(tmp_path / "b", "x-0", 6, row_hash="h4", code="c1")
    rows = united_rows([tmp_path / "a", tmp_path / "b"])
    (found,) = conflicts(rows.values())
    assert (found.trial, found.seed, found.step) == ("x-0", 0, 5)
    assert found.row_hashes == ("h1", "h2") and len(rows) == 6


def test_a_line_that_is_no_row_is_refused(tmp_path):
    append(tmp_path / "a", "x-0")
    with (tmp_path / "a" / "ledger" / "w.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadInput, match=r"w.jsonl:2: not a ledger row"):
        merge(["a"], "b", tmp_path)
    assert not (tmp_path / "b" / "ledger").exists()
