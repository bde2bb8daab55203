"""Controls in a space: what an entry may say, and `add` at the cost of another variant."""

import subprocess
import sys

import pytest

from darbench.errors import BadInput
from darbench.search.grid import Grid
from tests.make.spaces import load, write

SPACE = """
seeds: [0, 1]
variants:
  - routing: add
  - {routing: unet, label: skips}
  - {routing: add, match: {parameters: skips}, label: wide}
  - {routing: add, match: {flops: skips}}
  - {routing: add, training: {objective: data}, control: true, label: data}
  - {routing: unet, training: {objective: data}, label: skips of data}
"""


def made(folder, *overrides):
    return [*load(folder, SPACE, *overrides).grid()]


def test_a_match_is_a_width_of_the_mlps_and_says_what_is_left(tmp_path):
    _, _, wide, costly, _, _ = made(tmp_path)
    plain = wide.ground.model
    assert wide.model.plain == costly.model.plain == plain
    # unet has 5 linears of 2 D inputs and D outputs, a feature of the MLPs 2 D + 1 a block.
    width, depth = plain.width, plain.depth
    features = 5 * (2 * width + 1) * width / (depth * (2 * width + 1))
    assert wide.model.mlp_hidden == 4 * width + round(features)
    assert wide.control.startswith("parameters of skips met within ")
    assert wide.control.endswith(f" % by mlp_hidden={wide.model.mlp_hidden}")
    assert costly.variant.label == "add with the FLOPs a step of skips"
    assert costly.model.mlp_hidden > 4 * width


def test_a_match_is_found_anew_on_every_ground(tmp_path):
    found = made(tmp_path, "axes={model.depth: [6, 12]}")
    widths = {c.ground.model.depth: c.model.mlp_hidden for c in found if c.variant.label == "wide"}
    assert set(widths) == {6, 12} and widths[6] != widths[12]


def test_controls_are_declared_by_configuration(tmp_path):
    space = load(tmp_path, SPACE)
    controls = Grid(space, []).declares.controls
    said = {c.variant.label: controls.get(c.trial(0, "confirm").config_hash) for c in space.grid()}
    assert said["data"] == ""
    # The same width meets both, so they are one configuration.
    assert said["wide"].startswith("parameters of skips met ")
    assert ", FLOPs a step of skips met " in said["wide"]
    assert len(controls) == 2
    assert said["add"] is said["skips"] is said["skips of data"] is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{routing: add, match: {parameters: skip}}", r"unknown variant 'skip'.*skips"),
        ("{routing: dar, match: {flops: skips}}", "only `add` is widened .* not dar"),
        ("{routing: add, match: {memory: skips}}", r"match: must be \{parameters: LABEL"),
        ("{routing: add, match: skips}", r"match: must be \{parameters: LABEL"),
        ("{routing: add, match: {parameters: add}}", "only to a variant that costs more"),
        ("{routing: add, match: {flops: many}}", "'many' stands for several .* by span"),
        ("{routing: add, match: {flops: wide}}", "'wide' is matched itself"),
        (
            "{routing: add, match: {flops: skips}, model: {mlp_hidden: 9}}",
            "it sets model.mlp_hidden",
        ),
        ("{routing: add, control: true, label: same}", "control: this is the `add`"),
        ("{routing: add, control: sometimes}", "control: must be true or false, got 'sometimes'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, entry, message):
    many = "{routing: dar, params: {span: [2, 4]}, label: many}"
    with pytest.raises(BadInput, match=rf"variants\[7\].*{message}"):
        [*load(tmp_path, f"{SPACE}  - {many}\n  - {entry}\n").grid()]


def test_torch_is_loaded_only_for_a_match_that_is_new(tmp_path):
    plain = SPACE.replace("match: {parameters: skips}, ", "control: true, model: {skip: time}, ")
    plain = plain.replace("match: {flops: skips}", "control: true, model: {gate: one_plus}")
    script = (
        "import sys; from darbench import registry; from darbench.search.load import load_space; "
        "[*load_space(sys.argv[1], [], registry.signatures()).grid()]; "
        "print('torch' in sys.modules)"
    )
    for name, text in (("plain", plain), ("mine", SPACE)):
        command = [sys.executable, "-c", script, write(tmp_path, text, f"{name}.yaml")]
        # The first time signatures and widths are found, and kept on disk.
        runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(2)]
        assert runs[-1].stdout.strip() == b"False"
