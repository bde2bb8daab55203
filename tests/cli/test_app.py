import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.cli.app import app
from darbench.search.files import cards, tasks_folder
from darbench.search.sweep import SweepResult
from darbench.store import ledger
from tests.make.spaces import OVERRIDES


def as_a_process(*arguments: str, **keywords) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "darbench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **keywords)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_version(run):
    assert run("--version") == (0, f"darbench {darbench.__version__}\n", "")


VERBS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(run, verb):
    code, out, _ = run(verb, "--help")
    assert code == 0 and f"Example:  darbench {verb}" in out


def test_without_a_verb_the_help_is_shown(run):
    code, out, _ = run()
    assert code == 0
    assert all(verb in out for verb in VERBS)


@pytest.mark.parametrize("what", ["routings", "spaces", "tasks"])
def test_lists_are_for_people_and_for_machines(run, what):
    code, out, err = run("list", what, "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "") and all(row["name"] for row in rows)
    _, shown, _ = run("list", what)
    assert all(row["name"] in shown for row in rows)


BAD = {
    "swep": "No such command 'swep'. Did you mean 'sweep'?",
    "sweep": "Missing option '--space'",
    "sweep --space dar_variants --quik": "No such option: --quik",
    "sweep --space dar_variants --workers two": "Invalid value for '--workers'",
    "sweep --space dar_variants --workers 0": "--workers 0: must be at least 1",
    "sweep --space dar_variants --workers 9999": "this machine has",
    "sweep --space dar_variants --device tpu": "--device tpu: must be auto, cpu or cuda",
    "sweep --space dar_varants": "unknown search space 'dar_varants'; did you mean dar_variants",
    "sweep --space no/such.yaml": "no search space file at",
    "sweep --space dar_variants training.step=4": "did you mean training.steps",
    "sweep --space dar_variants model.patch=3": "add at task=digits-nano: patch=3: must divide",
    "sweep --space dar_variants evaluation.n_gen=2 evaluation.grid=1": "n_gen=2: must be at least",
    "sweep --space dar_variants task.data=digit": "digit",
    "sweep --space dar_variants task.extractor=digits": "digits-cnn",
    "sweep --space dar_forms variants.4.params.span=0": "span=0: must be at least 1",
    "train": "Missing option '--routing'",
    "train --routing dra": "unknown routing 'dra'; did you mean dar",
    "train --routing dar params.span=0": "span=0: must be at least 1",
    "train --routing dar --task digits": "unknown task 'digits'; did you mean digits-nano",
    "train --routing dar --seed -1": "Invalid value for '--seed'",
    "train --routing dar --seed 9223372036854775808": "between 0 and",
    "list": "Missing argument",
    "prepare imagnet --vae . --data . --out x": "unknown thing to prepare 'imagnet'",
    "prepare imagenet --vae no --data . --out x": "--vae no: no such folder",
    "prepare imagenet --vae . --data no --out x": "--data no: no such folder",
    "prepare imagenet --vae . --data . --out x": ".: no class folders",
    "sweep --space dar_variants task.data=cifar10": "cifar10: no path is given",
    "sweep --space dar_variants task=cifar10-small": "see `darbench doctor cifar10-small`",
    "train --routing add --task imagenet256-b2": "see `darbench doctor imagenet256-b2`",
    "doctor cifar10": "unknown task 'cifar10'; did you mean cifar10-small",
    "doctor digits-nano training.step=3": "did you mean training.steps",
    "list routing": "unknown thing to list 'routing'; did you mean routings",
    "board --space dar_variants": "no sweep has written to leaderboards",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_exit_code_2_and_leaves_nothing(run, tmp_path, line):
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith("darbench: ") and err.count("\n") == 1
    assert BAD[line] in err
    assert files(tmp_path) == []


def test_bad_input_shows_no_traceback_as_a_process(tmp_path):
    done = as_a_process("list", "routing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "darbench: unknown thing to list 'routing'; did you mean routings"
    )
    assert done.stderr.count("\n") == 1


def test_an_output_folder_that_cannot_be_written_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("mine")
    for command in (["sweep", "--space", "dar_variants"], ["train", "--routing", "add"]):
        code, out, err = run(*command, "--out", "file/below")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "cannot write to" in err and "choose another --out" in err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_a_dry_run_says_what_would_run_and_writes_nothing(run, tmp_path, sampler):
    line = ["sweep", "--space", "dar_forms", f"sampler={sampler}", "--dry-run"]
    code, out, err = run(*line)
    assert (code, err, files(tmp_path)) == (0, "", [])
    assert "nothing ran" in out
    plan = json.loads(run(*line, "--json")[1])
    assert plan["sampler"] == sampler and plan["finished"] == 0
    assert plan["total"] == {"grid": 55, "tpe": 20 * 3 + 4 * 5}[sampler]


@pytest.mark.parametrize(
    ("verb", "trials"), [("sensitivity", [4 * 5, 5, 5]), ("noise-floor", [3 * 5])]
)
def test_what_a_task_is_judged_by_can_be_asked_before(run, tmp_path, verb, trials):
    line = [verb, "--task", "digits-nano", "--dry-run"]
    code, out, err = run(*line)
    assert (code, err, files(tmp_path)) == (0, "", [])
    assert out.count("nothing ran") == len(trials)
    assert [plan["total"] for plan in json.loads(run(*line, "--json")[1])] == trials


def test_an_interrupted_judgement_shows_no_empty_table(run, tmp_path, monkeypatch):
    def interrupted(*arguments, out, **keywords):
        return SweepResult(
            name="x",
            total=3,
            skipped=0,
            done=0,
            failed=0,
            interrupted=True,
            folder=out,
            board=out,
            seconds=1.0,
        )

    monkeypatch.setattr("darbench.search.sweep.sweep", interrupted)
    for verb in ("sensitivity", "noise-floor"):
        code, out, _ = run(verb, "--task", "digits-nano", "--workers", "1", "--out", "my out")
        assert code == 130 and out.startswith("3 trials: 0 done")
        again = f"go on with: darbench {verb} --task digits-nano --out 'my out' --workers 1\n"
        assert again in out


@pytest.mark.parametrize("verb", [["train", "--routing", "add"], ["doctor", "digits-nano"]])
def test_a_damaged_encoder_is_one_line_that_does_not_blame_the_routing(run, tmp_path, verb):
    pytest.importorskip("timm")
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    code, out, err = run(
        *verb,
        "training.objective=repa",
        "training.repa.encoder=timm:resnet18",
        "training.repa.weights=damaged.safetensors",
    )
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("darbench: training.repa.weights=")
    assert "damaged.safetensors': no safetensors file, or a damaged one" in err


def test_a_row_is_one_line_where_there_is_no_terminal(run):
    """grep needs it; the hours of a task on a GPU alone are more than 80 characters."""
    _, out, _ = run("list", "tasks")
    tasks = json.loads(run("list", "tasks", "--json")[1])
    assert len(out.splitlines()) == 2 * (1 + len(tasks)) + 1  # with a table of their summaries
    assert max(map(len, out.splitlines())) > 80


def test_tasks_are_listed_with_their_hours(run):
    rows = {row["name"]: row for row in json.loads(run("list", "tasks", "--json")[1])}
    assert rows.keys() == set(cards(tasks_folder()))
    assert "the DAR paper's recipe" in rows["imagenet256-xl2"]["summary"]
    assert all(row["hours"] for row in rows.values())


def train(run, *more: str):
    return run("train", "--routing", "add", *OVERRIDES, *more)


def test_one_trial_from_training_to_the_board(run, tmp_path):
    code, out, err = train(run, "--out", "out ü/x")
    assert (code, err) == (0, "")
    assert "val_loss" in out and "FD(digits-cnn)" in out
    assert "next: darbench board --space train --out 'out ü/x'" in out
    again = json.loads(train(run, "--out", "out ü/x", "--json")[1])
    assert f"row hash {again[-1]['row_hash']}" in out
    assert [row["attempt"] for row in again] == [2, 2]
    code, out, _ = run("board", "--space", "train", "--out", "out ü/x", "--json")
    assert code == 0 and all((tmp_path / path).is_file() for path in json.loads(out).values())


def test_a_torn_last_line_is_repaired_and_said(run, tmp_path):
    train(run)
    (path,) = (tmp_path / "leaderboards" / "train" / "ledger").iterdir()
    with path.open("a") as file:
        file.write('{"torn')
    code, _, err = train(run)
    assert code == 0 and err == f"repaired {path}: dropped a torn last line of 6 bytes\n"
    assert len(path.read_text().splitlines()) == 4


def test_a_trial_that_fails_is_exit_code_1(run):
    code, out, err = train(run, "training.lr=1e30", "training.steps=30")
    assert (code, err) == (1, "")
    assert "diverged at step" in out


def made_up_ledger(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "leaderboards" / "train" / "ledger"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(text)
    return folder


@pytest.mark.parametrize("verb", [["train", "--routing", "add"], ["board", "--space", "train"]])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema_version": 99}\n', "written with schema version 99"),
        ("no row\n", "not a ledger row; move the file away or mend the line"),
    ],
)
def test_a_foreign_ledger_is_refused_and_kept(run, tmp_path, text, said, verb):
    folder = made_up_ledger(tmp_path, text)
    code, out, err = run(*verb)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert (folder / "a.jsonl").read_text() == text


def test_the_board_of_an_older_schema_is_built_and_says_so(run, tmp_path):
    old = Path(__file__).parents[1] / "store" / "schema1.jsonl"
    made_up_ledger(tmp_path, old.read_text())
    code, out, err = run("board", "--space", "train")
    assert code == 0 and out.startswith("leaderboard: ")
    assert err.startswith("3 rows are of an older schema") and err.count("\n") == 1


def test_a_folder_that_another_sweep_writes_to_is_refused(run, tmp_path):
    with ledger.lock(tmp_path / "leaderboards" / "dar_variants"):
        code, out, err = run("sweep", "--space", "dar_variants")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is written by process" in err


def test_an_unknown_board_names_the_known_ones(run, tmp_path):
    made_up_ledger(tmp_path, "")
    assert "did you mean train" in run("board", "--space", "trian")[2]
    assert "no results in" in run("board", "--space", "train")[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_exit_code_130(run, monkeypatch, number):
    def interrupt(*_, **__):
        if number == signal.SIGINT:  # which a background job is deaf to
            raise KeyboardInterrupt
        os.kill(os.getpid(), number)

    monkeypatch.setattr("darbench.commands.train.train_one", interrupt)
    assert run("train", "--routing", "add") == (130, "", "darbench: interrupted\n")


def test_a_file_that_may_not_be_read_is_named(run, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "data/batch_1.bin")

    monkeypatch.setattr("darbench.commands.train.train_one", refuse)
    expected = "darbench: data/batch_1.bin: Permission denied\n"
    assert run("train", "--routing", "add") == (2, "", expected)
