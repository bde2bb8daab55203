"""Users' encoders: they have a name and a source hash, and errors name the line at fault."""

import pytest
import torch
from torch import nn

import darbench
from darbench.commands.check import conformance
from darbench.errors import BadInput
from darbench.registry import ENCODERS, signatures
from darbench.registry.bundle import bundle_of
from darbench.registry.files import load_file
from darbench.search.load import load_trial
from darbench.trial.check import check
from darbench.trial.encoders import load_encoder, try_encoder

FUNCTION = """
import darbench
from torch import nn

@darbench.register_encoder("mine")
def halves(x):
    return nn.functional.avg_pool2d(x, 2)
"""
MODULE = """
import darbench
from torch import nn

@darbench.register_encoder("mine")
class Mine(nn.Module):
    def __init__(self, weights="none"):
        super().__init__()
        self.weights = weights
        self.conv = nn.Conv2d(1, 6, 2, stride=2)

    def forward(self, x):
        return self.conv(x)
"""
FACTORY = """
import darbench
from torch import nn

@darbench.register_encoder("mine")
def build():
    return nn.Conv2d(1, 6, 2, stride=2)
"""
SHAPE = (1, 8, 8)


@pytest.fixture
def write(tmp_path, own_registry):
    """Writes a file and loads it."""

    def write(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return load_file(tmp_path / name)

    return write


def trial(*overrides):
    overrides = ["training.objective=repa", "training.repa.encoder=mine", *overrides]
    return load_trial("add", "digits-nano", overrides, 0, signatures())


@pytest.mark.parametrize("text", [FUNCTION, MODULE, FACTORY])
def test_a_function_a_class_and_a_factory_are_encoders(write, text):
    assert write(text) == []  # routings
    encoder = load_encoder("mine")
    try_encoder(encoder, "mine", SHAPE)
    x = torch.rand(3, *SHAPE)
    found = encoder(x)
    if text == FUNCTION:
        torch.testing.assert_close(found, nn.functional.avg_pool2d(x, 2))
    else:  # drawn at random, and the same every time
        assert found.shape == (3, 6, 4, 4) and not found.requires_grad
        torch.rand(3)
        assert torch.equal(load_encoder("mine")(x), found)
    assert list(ENCODERS.foreign()) == ["mine"]
    check(trial())


def test_another_source_is_another_trial(write, tmp_path):
    write(FUNCTION)
    first = trial()
    assert first.training.repa.fingerprint
    write(FUNCTION.replace("avg_pool2d", "max_pool2d"))
    changed = trial()
    write(FUNCTION)
    assert trial().id == first.id != changed.id


def test_a_factory_with_the_argument_gets_the_weights_which_are_part_of_the_id(write, tmp_path):
    write(MODULE)
    (tmp_path / "a.bin").write_bytes(b"one")
    given = f"training.repa.weights='{tmp_path}/a.bin'"
    one = trial(given)
    assert load_encoder("mine", one.training.repa.weights).weights == f"{tmp_path}/a.bin"
    (tmp_path / "a.bin").write_bytes(b"two")
    assert len({trial().id, one.id, trial(given).id}) == 3
    write(FACTORY.replace("build", "Mine"))
    with pytest.raises(BadInput, match="mine: has no argument `weights`"):
        check(trial(given))
    with pytest.raises(BadInput, match="sizes pictures itself, leave out"):
        check(trial("training.repa.size=224"))


def test_what_an_encoder_reads_is_part_of_the_trials_id(write, tmp_path):
    text = FUNCTION.replace("import darbench", "import darbench, beside").replace(
        "(x, 2)", "(x, beside.size())"
    )
    size = "from pathlib import Path\nHERE = Path(__file__).parent\n"
    size += "def size():\n    return int((HERE / 'size.txt').read_text())\n"
    found = []
    for number in (2, 4, 2):
        (tmp_path / "size.txt").write_text(str(number))
        (tmp_path / "beside.py").write_text(size)
        write(text)
        load_encoder("mine")(torch.rand(1, *SHAPE))
        found.append(trial().id)
    assert found[0] == found[2] != found[1]
    (tmp_path / "beside.py").write_text(size + "MORE = 1")
    write(text)
    load_encoder("mine")(torch.rand(1, *SHAPE))
    assert trial().id not in found


def test_an_encoder_may_open_its_weights_late_and_nothing_else(write, tmp_path):
    """They are part of the trial's id by their content."""
    text = MODULE.replace("self.weights = weights", "self.weights = Path(weights).read_bytes()")
    write("from pathlib import Path\n" + text)
    bundle_of(ENCODERS.get("mine")).closed = True
    (tmp_path / "a.bin").write_bytes(b"one")
    assert load_encoder("mine", str(tmp_path / "a.bin")).weights == b"one"
    (tmp_path / "b.bin").write_bytes(b"two")
    with pytest.raises(BadInput, match=r"mine\.py:\d+: opens b\.bin only now"):
        ENCODERS.get("mine")(str(tmp_path / "b.bin"))


BAD = {
    FUNCTION.replace("(x, 2)", "(x)"): r"of images of 1 x 8 x 8: mine\.py:7: TypeError: ",
    FUNCTION.replace("(x, 2)", "(x, 2).flatten(1)"): r"must return \(B, E, h, w\) for B = 1, not",
    FUNCTION.replace("return ", "return x.numpy() and "): r"mine\.py:7: ",
    FUNCTION.replace("return ", "assert x.device.type == 'cpu'; return "): "on the meta device",
    FACTORY.replace("Conv2d(1", "Conv2d(3"): "of images of 1 x 8 x 8: mine.py: RuntimeError: ",
    FACTORY.replace(
        "return ", "return nowhere."
    ): r"encoder=mine: mine\.py:7: NameError: name 'no",
}


@pytest.mark.parametrize("text", BAD)
def test_an_encoder_that_fails_is_refused_and_not_the_routing(write, text):
    write(text)
    with pytest.raises(BadInput, match=BAD[text]) as refused:
        check(trial())
    assert "\n" not in str(refused.value)


def test_a_name_is_taken_once(write):
    write(FUNCTION)
    with pytest.raises(BadInput, match=r"yours\.py: encoder 'mine' exists already: .*halves"):
        write(FUNCTION.replace("halves", "other"), "yours.py")
    with pytest.raises(BadInput, match="'digits-cnn': use letters"):
        write(FUNCTION.replace('"mine"', '"digits-cnn"'))
    with pytest.raises(BadInput, match="register a function or a class, not Identity"):
        darbench.register_encoder("other")(nn.Identity())


def test_a_file_of_encoders_alone_has_no_routing_to_check(write, tmp_path):
    write(FUNCTION)
    with pytest.raises(BadInput, match=r"mine\.py: registers encoders alone"):
        conformance(str(tmp_path / "mine.py"))
    with pytest.raises(BadInput, match="unknown encoder 'mina'; did you mean mine"):
        load_encoder("mina")
