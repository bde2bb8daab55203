import json

import pytest

from darbench.errors import BadInput
from darbench.store import sound
from tests.make.folders import append


def test_names_of_leaderboards_are_words():
    assert all(map(sound.is_name, ("dar_variants", "a", "a.b-2")))
    assert not any(map(sound.is_name, ("", ".", "..", ".a", "a/b", "a\0", "-a", "a" * 101, 3)))


@pytest.mark.parametrize(
    ("value", "kind", "holds"),
    [
        ({"a": [1]}, {str: [int]}, True),
        ({"a": [True]}, {str: [int]}, False),
        ({"a": 1}, {str: [int]}, False),
        ([1], {str: int}, False),
        ({"left": True, "point": {"lr": [1]}}, sound.PLACE, True),
        ({"left": 1}, sound.PLACE, False),
        ({"other": 1}, sound.PLACE, False),
        ({}, sound.DECLARED, True),
    ],
)
def test_kinds_of_values(value, kind, holds):
    assert sound.fits(value, kind) is holds


@pytest.mark.parametrize(
    "odd",
    [
        {"val_loss": "3"},
        {"val_loss": True},
        {"val_loss_bins": [1, "x"]},
        {"samples_seen": 2**63},
        {"created_utc": None},
        {"label": {"a": 1}},
        {"trial_id": "../../x"},
        {"label": "half \ud800"},
        {"config_json": "x"},
        {"config_json": "[]"},
        {"params_json": '{"a": "\\ud800"}'},
        {"protocol_json": "[" * 100_000},
    ],
)
def test_a_row_with_a_value_of_another_kind_is_refused(tmp_path, odd):
    (tmp_path / "declared.json").write_text("{}")
    append(tmp_path, "a-0", val_loss=1, val_loss_bins=[1.5, None], samples_seen=2)
    sound.check(tmp_path)
    append(tmp_path, "a-1", **odd)
    with pytest.raises(BadInput, match=rf"row 2 of the ledger: {next(iter(odd))} is"):
        sound.check(tmp_path)


@pytest.mark.parametrize(
    "said",
    ["[]", "{", "[" * 100_000, json.dumps({"seeds": {"a": 1}}), json.dumps({"command": "\ud800"})],
)
def test_declarations_of_another_form_are_refused(tmp_path, said):
    append(tmp_path, "a-0")
    (tmp_path / "declared.json").write_text(said)
    with pytest.raises(BadInput, match=r"declared.json is none"):
        sound.check(tmp_path)
