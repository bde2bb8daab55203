import pytest

from darbench.commands.new import TEMPLATE
from darbench.errors import BadInput
from darbench.registry import ROUTINGS, signature
from darbench.registry.files import load_file
from darbench.registry.registry import load_importable
from darbench.registry.source import text_hash

MINE = TEMPLATE.format(name="mine", cls="Mine", file="mine.py", title="Mine")


@pytest.fixture
def write(tmp_path, own_registry):
    """Writes a file."""

    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_file_registers_its_routings(write):
    assert load_file(write(MINE)) == ["mine"]
    assert ROUTINGS.get("mine").__name__ == "Mine"


def test_a_files_hash_is_that_of_its_code(write):
    load_file(write(MINE))
    first = signature("mine").code_hash
    load_file(write(MINE + "\nCHANGED = 1\n"))
    assert signature("mine").code_hash != first
    load_file(write(MINE + "\n# a comment\n"))
    assert signature("mine").code_hash == first


def test_only_what_a_worker_cannot_import_travels_by_value(write):
    assert ROUTINGS.foreign() == {}
    load_file(write(MINE))
    assert list(ROUTINGS.foreign()) == ["mine"]


def test_two_files_of_one_name_do_not_meet(write, tmp_path):
    load_file(write(MINE))
    (tmp_path / "other").mkdir()
    load_file(write(MINE.replace('register("mine")', 'register("yours")'), "other/mine.py"))
    assert {"mine", "yours"} <= set(ROUTINGS.names())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\n", r"mine\.py: registers no routing of its own; decorate"),
        ("\n\nimport nowhere_to_be_found\n", r"mine\.py:3: ModuleNotFoundError"),
        ("def f(:\n", r"mine\.py:1: SyntaxError"),
        ("def f():\n    raise KeyError('k')\n\nf()\n", r"mine\.py:2: KeyError: 'k'"),
        (MINE.replace('register("mine")', 'register("add")'), r"'add' exists already"),
        (MINE.replace("def write", "def wirte"), "lacks write"),
        (MINE.replace("width, *, lr_mult", "width, lr_mult"), "search parameters after the star"),
    ],
)
def test_a_file_that_will_not_do_is_refused_with_its_own_line(write, text, complaint):
    with pytest.raises(BadInput, match=complaint):
        load_file(write(text))


ENDS = {
    "import sys\nsys.exit(0)\n": r"mine\.py:2: SystemExit: 0; it ends the program",
    "raise SystemExit\n": r"mine\.py:1: SystemExit: ",
    "import argparse as a\na.ArgumentParser().parse_args(['--no'])": r"mine\.py:2: SystemExit: 2",
    "raise KeyboardInterrupt\n": r"mine\.py:1: KeyboardInterrupt: ",
    "\nraise GeneratorExit\n": r"mine\.py:2: GeneratorExit: ",
    "import beside\n": r"beside\.py:3: SystemExit: 7; it ends",
}


@pytest.mark.parametrize("text", ENDS)
def test_a_file_that_ends_the_program_is_refused_with_the_line(write, text):
    write("import sys\n\nsys.exit(7)\n", "beside.py")
    with pytest.raises(BadInput, match=ENDS[text]):
        load_file(write(text))


def test_an_interruption_is_none_of_a_files_mistakes(write):
    """Ctrl-C while a file is loaded ends the command, wherever the file is at."""
    pressed = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
    with pytest.raises(KeyboardInterrupt):
        load_file(write(pressed))


@pytest.mark.parametrize("command", ["check", "train", "sweep", "list", "describe"])
def test_every_command_says_that_a_file_ends_the_program(run, write, command):
    path = str(write("import sys\nsys.exit()\n" + MINE))
    words = {
        "check": [path],
        "train": ["--routing", "mine", "--load", path],
        "sweep": ["--space", "dar_variants", "--load", path],
        "list": ["routings", "--load", path],
        "describe": ["mine", "--load", path],
    }
    code, out, said = run(command, *words[command])
    assert (code, out) == (2, "") and said.startswith("darbench: mine.py:2: SystemExit: ")
    assert said.count("\n") == 1


LATER = {
    "__init__": ("lr_mult: float = 1.0):", "lr_mult: float = 1.0):\n        raise SystemExit(3)"),
    "begin": ("return x  #", "raise SystemExit(3)  #"),
}


@pytest.mark.parametrize("where", LATER)
def test_a_routing_that_ends_the_program_is_refused_when_it_is_loaded(run, write, where):
    path = str(write(MINE.replace(*LATER[where])))
    for words in (["check", path], ["train", "--routing", "mine", "--load", path]):
        code, _, said = run(*words)
        assert code == 2 and "SystemExit: 3; it ends the program" in said, said


def test_a_program_that_ends_later_does_not_end_well(run, write, monkeypatch):
    from darbench.commands import train

    monkeypatch.setattr(train, "train_one", lambda *a, **k: exit())
    code, _, said = run("train", "--routing", "add")
    assert code == 2 and "ended the program" in said


@pytest.mark.parametrize(
    ("coding", "head"),
    [("utf-8-sig", ""), ("latin-1", "# -*- coding: latin-1 -*-\n"), ("utf-8", "")],
)
def test_a_file_is_read_as_python_reads_it(tmp_path, own_registry, coding, head):
    """Also a neighbour, and the hash is that of the text, whatever its encoding."""
    beside = "NAME = 'n\u00e9'\n"
    text = (
        head
        + "import beside\nassert beside.NAME == 'n\u00e9'\n"
        + MINE.replace("Mine:", "\u00e9:")
    )
    (tmp_path / "mine.py").write_bytes(text.encode(coding))
    (tmp_path / "beside.py").write_bytes((head + beside).encode(coding))
    assert load_file(tmp_path / "mine.py") == ["mine"]
    found = signature("mine").code_hash
    assert found == text_hash(text, ["darbench.routing.base"], [beside])
    (tmp_path / "beside.py").write_bytes((head + beside.replace("n", "m")).encode(coding))
    with pytest.raises(BadInput, match=r"mine\.py:\d: AssertionError"):
        load_file(tmp_path / "mine.py")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"cannot read .*nothing\.py"):
        load_file(tmp_path / "nothing.py")


@pytest.fixture
def installed(tmp_path, monkeypatch, own_registry):
    """Installs a package with an entry point for its routing, by hand, on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    load_importable.cache_clear()

    def install(text):
        (tmp_path / "offers.py").write_text(text)
        info = tmp_path / "offers-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[darbench.routings]\nmine = offers\n")

    yield install
    load_importable.cache_clear()


def test_an_installed_package_offers_routings(installed):
    installed(MINE)
    assert ROUTINGS.get("mine").__module__ == "offers"
    assert ROUTINGS.foreign() == {}  # a worker finds it by itself


def test_a_package_that_fails_is_passed_over_with_a_warning(installed):
    installed("raise RuntimeError('broken')")
    with pytest.warns(UserWarning, match=r"routings of offers \(offers\): broken"):
        known = ROUTINGS.names()
    assert "add" in known and "mine" not in known
