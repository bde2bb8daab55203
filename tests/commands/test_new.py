import pytest

from darbench.commands.new import new
from darbench.errors import BadInput


def test_new_writes_a_file_and_never_over_one(tmp_path):
    path = new("my_routing", tmp_path)
    assert "class MyRouting(darbench.Routing)" in path.read_text()
    with pytest.raises(BadInput, match="exists"):
        new("my_routing", tmp_path)


@pytest.mark.parametrize("name", ["my-routing", "2fast", "", "../up", "Mine"])
def test_new_refuses_what_is_no_module_name(tmp_path, name):
    with pytest.raises(BadInput, match="lower-case letters"):
        new(name, tmp_path)


def test_new_says_where_it_cannot_write(tmp_path):
    with pytest.raises(BadInput, match="cannot write"):
        new("mine", tmp_path / "nowhere")
