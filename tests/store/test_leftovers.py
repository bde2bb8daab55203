import subprocess
import sys

from darbench.files import _place
from darbench.store import ledger
from darbench.store.leftovers import forget, leftovers, partials, unfinished
from tests.make.folders import killed_holding, ledger_row, save_states


def names(files) -> set[str]:
    return {f"{file.parent.name}/{file.name}" for file in files}


FILES = ("1.json", "1.safetensors", "2.json", "2.safetensors")


def test_states_of_finished_trials_are_left_and_others_are_gone_on_with(tmp_path):
    for trial in ("t0", "t1", "t2"):
        save_states(tmp_path, trial)
    save_states(tmp_path, "t3", source="c1")
    rows = [ledger_row(trial) for trial in ("t0", "t3")]
    rows.append(ledger_row("t1", status="crashed"))
    (tmp_path / "states" / "t2" / "2.json").write_text("{")
    assert names(leftovers(tmp_path, rows)) == {f"t0/{name}" for name in FILES}
    kept = {f"{trial}/{name}" for trial in ("t1", "t2", "t3") for name in FILES}
    assert names(unfinished(tmp_path, rows)) == kept


def test_tensors_that_nobody_can_read_are_left(tmp_path):
    (tmp_path / "states" / "t0").mkdir(parents=True)
    (tmp_path / "states" / "t0" / "5.safetensors").write_bytes(b"half")
    assert names(leftovers(tmp_path, [])) == {"t0/5.safetensors"}


def test_a_sweep_forgets_what_is_left(tmp_path):
    save_states(tmp_path, "t0")
    save_states(tmp_path, "t1")
    (tmp_path / "workers").mkdir()
    killed_holding(tmp_path / "workers" / "w.json")
    ledger.append(tmp_path / "ledger" / "a.jsonl", ledger_row("t0"))
    forget(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"states", "ledger"}
    assert [path.name for path in (tmp_path / "states").iterdir()] == ["t1"]


def test_what_a_killed_process_was_writing_is_found_anywhere_in_the_folder(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "weights").mkdir()
    half = tmp_path / "weights" / f".a.safetensors.{_place()}-{dead.pid}"
    half.write_text("half")
    (tmp_path / "weights" / f".b.safetensors.{_place()}-1").write_text("of a living one")
    assert partials(tmp_path) == [half]
