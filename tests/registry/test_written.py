import pytest

from darbench.registry import ROUTINGS
from darbench.registry.written import written
from darbench.testing.rehearsal import load_rehearsed
from tests.make.users import files, routing

OPS = "SCALE = 1.0\ndef mix(s, v):\n    return s + SCALE * v\n"


def test_of_a_built_in_routing_it_is_what_its_hash_is_of():
    found = written(ROUTINGS.get("dar"), ROUTINGS.always)
    first, *others = found
    assert first == "darbench/routing/dar.py" and "class Dar(" in found[first]
    assert {"darbench/routing/base.py", "darbench/routing/history.py"} <= {*others}
    assert "darbench/ops/depth_attention/definition.py" in others
    assert "darbench/routing/hyper.py" not in others


@pytest.mark.usefixtures("own_registry")
def test_of_a_users_routing_it_has_the_neighbours_and_no_folder(tmp_path):
    path = files(
        tmp_path, mine=routing("from my_ops import mix", write="mix(state, v)"), my_ops=OPS
    )
    load_rehearsed(path)
    found = written(ROUTINGS.get("mine"))
    assert [*found][:2] == ["mine.py", "my_ops.py"] and found["my_ops.py"] == OPS
