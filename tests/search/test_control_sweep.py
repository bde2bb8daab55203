"""A real sweep of every control that ships in search_spaces/controls.yaml, in small."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

import darbench
from darbench.board.rank import rank
from darbench.store.declared import read
from tests.make.spaces import TINY, write

SPACE = Path(__file__).parents[2] / "search_spaces" / "controls.yaml"
DEEPER = TINY.replace('"depth": 2', '"depth": 4')  # unet has a skip there


@pytest.mark.slow
def test_all_controls_stand_in_the_section_of_the_routings(tmp_path):
    variants = yaml.safe_load(SPACE.read_text())["variants"]
    space = write(tmp_path, f"seeds: [0, 1]\nvariants: {json.dumps(variants)}" + DEEPER)
    outcome = darbench.sweep(space, out=tmp_path)
    assert (outcome.failed, outcome.done) == (0, 2 * len(variants))
    matched = [note for note in outcome.notes if "mlp_hidden=" in note]
    assert len(matched) == 2
    frame = pl.read_parquet(outcome.results)
    board = rank(frame, read(outcome.folder))  # all in one section
    controls = [v["label"] for v in variants if "control" in v or "match" in v]
    assert sorted(row.label for row in board.rows if row.control) == sorted(controls)
    assert board.tried == len(variants) - len(controls)
    assert [c.entry.label for c in board.contrasts] == ["unet"]
    found = {row.label: row for row in board.rows}
    assert found["unet of data"].against == found["add of data"].entry
    others = [row for row in board.rows if row.label != "unet of data"]
    assert {row.against for row in others} == {found["add"].entry}
    assert found["add as large as unet"].params_total == pytest.approx(
        found["unet"].params_total, rel=0.01
    )
    assert found["add with a time skip"].params_total > found["add"].params_total
    page = outcome.board.read_text()
    assert "Gain with velocities minus gain with data" in page
    assert "control: parameters of unet met within" in page
