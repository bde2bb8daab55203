import json

import pytest
import torch

from darbench.store.shelf import Folder
from darbench.store.states import State, States

IDENTITY = {"source": "c0", "arithmetic": "2"}


def states(path, said=None, **identity) -> States:
    heard = [] if said is None else said
    return States(Folder(path / "t0"), IDENTITY | identity, heard.append)


def state(step, **tensors) -> State:
    return State(step=step, plain={"at": step, "x": 0.1}, tensors={"w": torch.ones(2), **tensors})


def names(path) -> list[str]:
    return sorted(each.name for each in (path / "t0").iterdir())


def test_the_last_two_are_kept_and_the_newest_is_given_back(tmp_path):
    made = states(tmp_path)
    assert made.newest() is None
    for step in (9, 10, 100):
        made.save(state(step, n=torch.tensor(step)))
    assert names(tmp_path) == ["10.json", "10.safetensors", "100.json", "100.safetensors"]
    found = states(tmp_path).newest()
    assert (found.step, found.plain) == (100, {"at": 100, "x": 0.1})
    assert found.tensors["n"] == 100 and torch.equal(found.tensors["w"], torch.ones(2))
    made.clear()
    assert states(tmp_path).newest() is None and not (tmp_path / "t0").exists()


def test_tensors_come_back_to_the_bit_whatever_their_memory(tmp_path):
    base = torch.randn(4, 6)
    given = {
        "turned": base.T,
        "part": base[1:3],
        "same": base,
        "again": base,
        "wide": torch.ones(1).expand(5),
        "half": torch.randn(3).bfloat16(),
        "count": torch.tensor(2**62),
        "yes": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
        "odd": torch.tensor([float("nan"), -0.0, float("inf")]),
    }
    states(tmp_path).save(state(1, **given))
    found = states(tmp_path).newest().tensors
    for name, x in given.items():
        assert (found[name].dtype, found[name].shape) == (x.dtype, x.shape)
        assert torch.equal(found[name].isnan(), x.isnan()), name
        assert found[name].nan_to_num().equal(x.nan_to_num()), name


def test_what_is_plain_can_be_amended_for_a_state_that_is_there(tmp_path):
    made = states(tmp_path)
    made.save(state(1))
    made.amend(1, {"at": "later"})
    made.amend(2, {"at": "never"})
    found = states(tmp_path).newest()
    assert (found.step, found.plain) == (1, {"at": "later"})
    assert torch.equal(found.tensors["w"], torch.ones(2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "2.json").write_text('{"identity": {}'),
        lambda folder: (folder / "2.json").write_text("[]"),
        lambda folder: (folder / "2.json").write_text("{}"),
        lambda folder: (folder / "2.safetensors").unlink(),
        lambda folder: (folder / "2.safetensors").write_bytes(b"short"),
        lambda folder: (folder / "2.json").write_text(
            (folder / "2.json").read_text().replace('"at": 2', '"at": 3')
        ),
    ],
    ids=["torn", "list", "empty", "missing", "short", "changed"],
)
def test_a_damaged_state_is_passed_over_and_named(tmp_path, spoil):
    made, said = states(tmp_path), []
    made.save(state(1))
    made.save(state(2))
    spoil(tmp_path / "t0")
    assert states(tmp_path, said).newest().step == 1
    assert len(said) == 1 and said[0].startswith("its state after step 2 is damaged (2.")
    assert "\n" not in said[0] and names(tmp_path) == ["1.json", "1.safetensors"]


def test_tensors_without_what_is_plain_are_of_a_save_that_was_cut_off(tmp_path):
    made = states(tmp_path)
    made.save(state(1))
    (tmp_path / "t0" / "2.safetensors").write_bytes(b"half")
    assert states(tmp_path).newest().step == 1
    states(tmp_path).save(state(3))
    assert names(tmp_path) == ["1.json", "1.safetensors", "3.json", "3.safetensors"]


def test_states_of_anything_else_are_refused_in_a_line_and_removed(tmp_path):
    states(tmp_path).save(state(7))
    said = []
    assert states(tmp_path, said, source="c1").newest() is None
    assert said == ["its state after step 7 is of another source (c0, here c1): begins anew"]
    assert not (tmp_path / "t0").exists()


def test_no_file_holds_a_pickle(tmp_path):
    states(tmp_path).save(state(1))
    assert json.loads((tmp_path / "t0" / "1.json").read_text())["plain"] == {"at": 1, "x": 0.1}
    content = (tmp_path / "t0" / "1.safetensors").read_bytes()
    header = int.from_bytes(content[:8], "little")
    assert json.loads(content[8 : 8 + header])["w"]["dtype"] == "F32"
