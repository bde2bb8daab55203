import pytest

from darbench.commands.new import TEMPLATE
from darbench.errors import BadInput
from darbench.registry import ROUTINGS, signature
from darbench.registry.files import load_file
from darbench.registry.registry import load_importable

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
