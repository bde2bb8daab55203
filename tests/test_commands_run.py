"""Every command that a page, a message, an example or the docs print runs as it stands."""

import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from darbench import registry
from darbench.board.build import build
from darbench.cli.app import app
from darbench.cli.texts import closing
from darbench.command_line import command_line, published
from darbench.commands import plan as planner
from darbench.commands.card import Card
from darbench.commands.new import new
from darbench.errors import BadInput
from darbench.registry.files import load_file
from darbench.search.files import cards, spaces_folder, tasks_folder
from darbench.search.load import load_space
from darbench.search.sweep import SweepResult, sweep
from darbench.store import declared, ledger
from tests.make.pages import opened
from tests.make.rows import trial_rows
from tests.make.spaces import OVERRIDES, TINY, load, write

ROOT = Path(__file__).parents[1]
FOUR = ["training.steps=4", *(o for o in OVERRIDES if not o.startswith("training.steps"))]
PLUGIN = """
from typing import Literal

from darbench import Routing, register


@register("mine")
class Mine(Routing):
    equals_add = "strong"

    def __init__(
        self, sites, width, *, mode: Literal["on", "off"] = "on", rate=1e-5, text: str = "a b"
    ):
        super().__init__(sites, width)

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + v

    def elementwise_flops(self, tokens):
        return self.sites * tokens * self.width
"""
SPACE = """
name: mine
seeds: [0, 1]
variants:
  - routing: add
  - {routing: layerscale, params: {init: 1e-5}}
  - {routing: mine, params: {mode: off, rate: 1e-3, text: "it's [1,2] {x} 1e3"}, label: no}
  - {routing: mine, params: {text: on}, label: "a 'b' $HOME"}
  - {routing: dar, params: {history: window, span: 1}, model: {depth: 3, mlp_ratio: 2}}
"""


@pytest.fixture
def here(own_registry, tmp_path, monkeypatch):
    """A folder with a user's file, a space and the board of its sweep, whose rows are made up."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    load_file("mine.py")
    space = load(tmp_path, SPACE)
    words = ["darbench", "sweep", "--space", str(tmp_path / "mine.yaml"), "--load", "./mine.py"]
    fill(tmp_path / "leaderboards" / "mine", space, published(words), {"mine": "mine.py"})
    return tmp_path


def fill(folder: Path, space, command: str, files: dict[str, str]) -> dict[str, str]:
    """Write the ledger of a sweep that is over, but for a crash, and its declarations."""
    ids = {}
    for configuration in space.grid():
        trials = [configuration.trial(seed, "confirm") for seed in space.seeds]
        ids |= {trial.config_hash: trial.id for trial in trials[:1]}
        for row in (row for trial in trials for row in trial_rows(trial)):
            ledger.append(folder / "ledger" / "w.jsonl", row)
    lost = row | {"status": "crashed", "error": "made up", "attempt": 2}
    ledger.append(folder / "ledger" / "w.jsonl", lost)
    sweeps = declared.Declared(files=files).extended(
        {key: space.seeds for key in ids}, command=command, rank_by=dict.fromkeys(ids, "val_loss")
    )
    declared.write(folder, sweeps)
    return ids


def commands_of(page: Path) -> list[str]:
    """The commands of a page, as its reader copies them."""
    copied = re.findall(r"<pre[^>]*>(.*?)</pre>", opened(page.read_text()), re.DOTALL)
    texts = [html.unescape(re.sub("<[^>]+>", "", text)) for text in copied]
    return [text for text in texts if text.startswith("darbench ")]


def run_it(run, command: str, *more: str) -> tuple[int, str, str]:
    words = shlex.split(command)
    assert words[0] == "darbench"
    return run(*words[1:], *more)


@pytest.mark.parametrize("entry", [1, 2])
def test_the_command_of_an_entry_trains_its_configuration(here, run, entry):
    page = build("mine", here / "leaderboards")
    (command,) = [c for c in commands_of(page) if " train " in c][entry : entry + 1]
    code, said, complaint = run_it(run, command, *FOUR, "--json")
    assert (code, complaint) == (0, "")
    ran = json.loads(said)[-1]
    swept = ledger.read_ledger(here / "leaderboards" / "mine" / "ledger")
    assert (ran["routing"], ran["params_json"]) in {
        (row["routing"], row["params_json"]) for row in swept
    }


def test_an_entrys_command_without_change_is_its_trial(here):
    from darbench.search.load import load_trial

    space = load_space("mine.yaml", [], registry.signatures())
    wanted = {c.trial(0, "confirm").id for c in space.grid()}
    found = set()
    for command in commands_of(build("mine", here / "leaderboards")):
        words = shlex.split(command)
        if words[1] != "train":
            continue
        given = words[words.index("--routing") + 2 : -2]
        task = given.index("--task")
        assert given[task + 1] == "digits-nano"
        overrides = given[:task] + given[task + 2 :]
        routing = words[words.index("--routing") + 1]
        found.add(load_trial(routing, "digits-nano", overrides, 0, registry.signatures()).id)
    assert found == wanted


def test_the_commands_of_a_page_name_no_folder_and_its_sweep_is_the_one_that_ran(here, run):
    commands = commands_of(build("mine", here / "leaderboards"))
    assert not [c for c in commands if str(here) in c or "/" in c.replace("a/b", "")]
    sweeps = {c for c in commands if " sweep " in c}
    assert sweeps == {"darbench sweep --space mine.yaml --load mine.py"}
    code, said, _ = run_it(run, sweeps.pop(), "--dry-run", "--json")
    assert (code, json.loads(said)["total"]) == (0, 10)


def test_the_control_that_ships_is_found_by_its_name(own_registry, run):
    code, said, complaint = run("train", "--load", "shut.py", "--routing", "shut", *FOUR, "--json")
    assert (code, complaint) == (0, "") and json.loads(said)[-1]["routing"] == "shut"


def test_a_call_from_python_is_a_command_too(own_registry, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(PLUGIN)
    load_file("mine.py")
    space = write(tmp_path / "my spaces", "name: mine\nseeds: [0]\nvariants: [{routing: add}]")
    monkeypatch.setattr("darbench.search.sweep._run", lambda driver, workers: driver.peek())
    given = {"overrides": iter(["training.steps=3"]), "own": iter(["mine"])}
    page = sweep(space, **given, out=tmp_path / "out").board
    (command,) = commands_of(page)
    assert command == "darbench sweep --space mine.yaml --load mine.py training.steps=3"
    monkeypatch.chdir(tmp_path / "my spaces")
    (tmp_path / "my spaces" / "mine.py").write_text(PLUGIN)
    assert run_it(run, command, "--dry-run")[0] == 0


def test_what_a_notebook_made_has_no_command(own_registry, tmp_path, monkeypatch):
    cell = PLUGIN.replace('"mine"', '"celled"')
    exec(compile(cell, "/tmp/ipykernel_1/2.py", "exec"), {"__name__": "cell"})
    monkeypatch.setattr(registry.ROUTINGS, "source_hash", lambda name: "0")
    space = write(tmp_path, "seeds: [0]\nvariants: [{routing: add}]")
    monkeypatch.setattr("darbench.search.sweep._run", lambda driver, workers: driver.peek())
    page = sweep(space, own=["celled"], out=tmp_path / "out").board
    assert commands_of(page) == []
    assert declared.read(page.parent).files == {"celled": ""}


def ended(folder: Path, **changes) -> SweepResult:
    given = {"total": 3, "skipped": 0, "done": 2, "failed": 0, "interrupted": False} | changes
    page = folder / "index.html"
    return SweepResult(name="mine", folder=folder, board=page, seconds=1.0, **given)


@pytest.mark.parametrize("state", [{"interrupted": True}, {"failed": 1}])
def test_a_sweep_that_was_cut_off_or_failed_says_how_to_go_on(here, run, state):
    words = ["darbench", "sweep", "--space", "mine.yaml", "--load", "mine.py", "seeds=[0,1,2]"]
    text = closing(ended(here, **state), command_line(words, here / "my out", 1, "cpu"))
    (command,) = re.findall(r"darbench sweep .*", text)
    assert run_it(run, command, "--dry-run")[0] == 0


# A task whose data are files lacks them here.
SMALL_CARDS = [Card.of(task) for task in cards(tasks_folder()) if "nano" in task]
EMBEDDED = [card for card in SMALL_CARDS if not card.data.files]


def texts() -> list[str]:
    """Where examples stand: help, template, cards, spaces, README and docs."""
    verbs = app.registered_commands
    named = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *spaces_folder().glob("*.yaml")]
    return [
        app.info.epilog,
        *(verb.epilog for verb in verbs),
        *(card.text() for card in EMBEDDED),
        *(path.read_text() for path in named),
    ]


def printed() -> list[str]:
    """All commands in those texts that are whole: a line of their own, or in backticks."""
    lines = [line for text in texts() for line in text.splitlines()]
    alone = [re.search(r"^(?:#?|Example:|First run:|Run)\s*(darbench .*)", line) for line in lines]
    quoted = re.findall(r"`(darbench [^`]*)`", "\n".join(texts()))
    found = [m[1] for m in alone if m] + [" ".join(text.split()) for text in quoted]
    found = [re.sub(r"\s+(#|>) .*", "", command).strip() for command in found]
    whole = [c for c in found if len(c.split()) > 2 and not re.search(r"\b[A-Z]{4,}\b", c)]
    return [*dict.fromkeys(whole)]


LONG = ("sensitivity", "noise-floor")
# They lack what they need here, and say so.
ELSEWHERE = ("prepare", "doctor", "plan", "diagnose", "logs", "merge", "import")


@pytest.mark.parametrize("command", printed())
def test_an_example_runs(own_registry, run, tmp_path, command):
    for name in ("my_routing", "forgetful"):
        if command != f"darbench new {name}":
            new(name, tmp_path)
    write(tmp_path, "variants: [{routing: add}, {routing: forgetful}]", "forgetful.yaml")
    write(tmp_path, "variants: [{routing: add}]", "fine.yaml")
    write(tmp_path, "variants: [{routing: add}]", "path/to/my_space.yaml")
    verb = shlex.split(command)[1]
    more = ["--dry-run"] if verb in ("sweep", *LONG) and "--dry-run" not in command else []
    if verb in ("board", "status", "clean", "export"):
        named = re.search(r"--space (\w+)", command)
        board = tmp_path / "leaderboards" / (named[1] if named else "dar_variants")
        fill(board, load(tmp_path, SMALL), "", {})
    more += FOUR if verb in ("train", "worker") else []
    more += ["seeds=[0]", "variants=[{routing: add}]"] if verb == "worker" else []
    code, _, complaint = run_it(run, command, *more)
    assert code == 0 or (verb in ELSEWHERE and "Traceback" not in complaint), complaint


SMALL = "name: dar_variants\nseeds: [0, 1]\nvariants: [{routing: add}]"


def test_there_are_examples_of_every_verb():
    verbs = {shlex.split(command)[1] for command in printed()}
    assert verbs >= {verb.name or verb.callback.__name__ for verb in app.registered_commands}


def test_what_new_and_check_say_next_runs(own_registry, run, tmp_path):
    _, said, _ = run("new", "other", "--out", str(tmp_path))
    (command,) = re.findall(r"next: (darbench check .*)", said)
    assert run_it(run, command)[0] == 0
    for line in (tmp_path / "other.py").read_text().splitlines():
        if line.strip().startswith("darbench "):
            verb = shlex.split(line)[1]
            more = {"train": FOUR, "sweep": ["--dry-run"], "check": []}[verb]
            assert run_it(run, line.strip(), *more)[0] == 0


def test_what_train_says_next_runs(run, tmp_path):
    out = tmp_path / "my out"
    code, said, _ = run("train", "--routing", "add", *FOUR, "--out", str(out))
    (command,) = re.findall(r"next: (darbench .*)", said)
    assert (code, run_it(run, command)[0]) == (0, 0)


def test_what_an_error_suggests_runs(run, tmp_path):
    _, _, complaint = run("board", "--space", "mine", "--out", str(tmp_path / "my out"))
    (command,) = re.findall(r"`(darbench [^`]+)`", complaint)
    assert run_it(run, command, "--dry-run")[0] == 0
    with pytest.raises(BadInput) as refused:
        planner.plan("digits-nano", 0.01, ["training.steps=77"], out=tmp_path / "my out")
    (command,) = re.findall(r"darbench noise-floor .*", str(refused.value))
    assert run_it(run, command, "--dry-run")[0] == 0


@pytest.mark.slow
def test_the_commands_of_a_real_sweeps_page_train_what_it_trained(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    write(tmp_path, SPACE.replace("seeds: [0, 1]", "seeds: [0]") + TINY)

    def shell(*words: str) -> str:
        command = [sys.executable, "-m", "darbench", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shell("sweep", "--space", str(tmp_path / "mine.yaml"), "--load", str(tmp_path / "mine.py"))
    folder = tmp_path / "leaderboards" / "mine"
    wanted = {row["row_hash"] for row in ledger.read_ledger(folder / "ledger") if row["final"]}
    trained = set()
    for command in commands_of(folder / "index.html"):
        words = shlex.split(command)[1:]
        if words[0] == "train":
            trained.add(json.loads(shell(*words, "--json"))[-1]["row_hash"])
        else:
            assert "5 finished earlier" in shell(*words)
    assert trained == wanted and len(wanted) == 5
