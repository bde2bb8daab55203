import importlib.util
import sys

import pytest

from darbench.errors import BadInput
from darbench.registry import ROUTINGS, VERBS, register, signature, signatures
from darbench.routing.base import Routing

SOURCE = """
from darbench.registry import register
from darbench.routing.base import Routing


@register("{name}")
class Mine(Routing):
    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + v{more}
"""


@pytest.fixture
def user_file(tmp_path, own_registry):
    """Writes a routing of that name and imports the file, each time as a new module."""

    def load(file, name="mine", more=""):
        path = tmp_path / f"{file}.py"
        path.write_text(SOURCE.format(name=name, more=more))
        spec = importlib.util.spec_from_file_location(file, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[file] = module
        spec.loader.exec_module(module)
        return module.Mine

    return load


def test_the_built_in_routings_are_known_by_name_in_order():
    known = dict(ROUTINGS.items())
    assert ROUTINGS.names() == list(known) == sorted(known) and {
        "add",
        "dar",
        "denseformer",
        "hyper",
    } <= set(known)
    assert all(cls.name == name and ROUTINGS.get(name) is cls for name, cls in known.items())


def test_a_users_file_is_known_once_it_is_imported(user_file):
    cls = user_file("mine_a")
    assert ROUTINGS.get("mine") is cls
    assert signature("mine").parameters == {}


def test_the_same_source_twice_is_no_error(user_file):
    user_file("mine_a")
    again = user_file("mine_b")
    assert ROUTINGS.get("mine") is again


def test_another_source_under_a_known_name_is_refused(user_file):
    first = user_file("mine_a")
    with pytest.raises(BadInput, match=r"routing 'mine' exists already: mine_a\.Mine"):
        user_file("mine_b", more=" / 2")
    assert ROUTINGS.get("mine") is first


def test_a_class_written_anew_in_the_same_place_replaces_the_old_one(user_file):
    old = user_file("mine_a")
    new = user_file("mine_a", more=" / 2")
    assert ROUTINGS.get("mine") is new is not old


def test_a_built_in_name_cannot_be_taken(user_file):
    with pytest.raises(BadInput, match=r"'add' exists already: darbench\.routing\.add\.Add"):
        user_file("mine_a", name="add")


def test_an_unknown_name_is_refused_with_the_near_ones():
    with pytest.raises(BadInput, match="unknown routing 'dra'; did you mean dar"):
        ROUTINGS.get("dra")
    with pytest.raises(BadInput, match="unknown routing 'zzz'; known: add, "):
        ROUTINGS.get("zzz")


def test_a_class_without_the_verbs_is_refused_with_their_names(own_registry):
    class Nothing:
        def begin(self, x, cond): ...

    with pytest.raises(BadInput, match=r"routing 'nothing' \(Nothing\) lacks read, write"):
        register("nothing")(Nothing)


def test_a_routing_that_leaves_a_verb_to_its_base_is_refused(own_registry):
    class Half(Routing):
        def begin(self, x, cond): ...

        def read(self, state, site): ...

    with pytest.raises(BadInput, match="lacks write"):
        register("half")(Half)
    assert "half" not in ROUTINGS.names()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("sites, width, rate", r"\(self, sites, width, rate, \.\.\.\)"),
        ("width, sites", r"must be \(self, sites, width, \*"),
        ("sites, width, *, rate", "parameter rate needs a default"),
    ],
)
def test_a_constructor_of_another_form_is_refused(own_registry, arguments, complaint):
    scope = {}
    exec(f"def init(self, {arguments}): ...", scope)
    verbs = {verb: lambda self, *a: None for verb in VERBS}
    with pytest.raises(BadInput, match=complaint):
        register("mine")(type("Mine", (Routing,), verbs | {"__init__": scope["init"]}))


def test_the_code_hash_follows_the_source(user_file):
    user_file("mine_a", name="one")
    user_file("mine_b", name="two")
    user_file("mine_c", name="three", more=" / 2")
    one, two, three = (signature(name).code_hash for name in ("one", "two", "three"))
    assert len(one) == 16 and len({one, two, three}) == 3
    assert signature("add").code_hash == signatures()["add"].code_hash


def test_two_classes_of_one_file_cannot_share_a_name(user_file, tmp_path):
    twice = SOURCE + SOURCE.replace("class Mine", "class Other")
    path = tmp_path / "twice.py"
    path.write_text(twice.format(name="twice", more=""))
    spec = importlib.util.spec_from_file_location("twice", path)
    module = sys.modules["twice"] = importlib.util.module_from_spec(spec)
    with pytest.raises(BadInput, match="routing 'twice' exists already"):
        spec.loader.exec_module(module)


def test_the_code_hash_of_a_class_without_functions_is_that_of_its_file(own_registry, tmp_path):
    path, hashes = tmp_path / "plain.py", {signature("add").code_hash}
    for text in ("x = 1", "x = 2"):
        path.write_text(
            "from darbench.routing.add import Add\nfrom darbench.registry import register\n"
            f"{text}\n@register('plain')\nclass Plain(Add):\n    gate = 'none'\n"
        )
        spec = importlib.util.spec_from_file_location("plain", path)
        module = sys.modules["plain"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        hashes.add(signature("plain").code_hash)
    assert len(hashes) == 3
