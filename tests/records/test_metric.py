"""The table of metrics, and that a row added to it is all that a new metric needs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darbench
from darbench.records.metric import COMPARED, DESCRIBED, FID_FEATURES, HIGHER, METRICS, Metric

PACKAGE = Path(darbench.__file__).parent
ROOT = Path(__file__).parents[2]
TABLE = "SCORES = (\n"
ADDED = """    Metric(
        name="sharpness",
        title="sharpness index",
        doc="made up",
        unit="lp/mm",
        digits=5,
        compared=True,
        series=(Series(column="sharpness_draws", doc="again", redrawn="generation"),),
    ),
    Metric(name="oddity", title="oddity", doc="how odd", better=HIGHER, error="samples"),
"""
# What shows a metric: the schema, what ranks, the frame and the page.
CONSUMERS = """
import json, sys
from pathlib import Path
from darbench.board.page import write_page
from darbench.board.rank import rank
from darbench.records.schema import COLUMNS
from darbench.search.compose import compose_space
from darbench.search.space import build_space
from darbench.registry import Signature
from darbench.store.tables import to_frame
from tests.make.pages import inert
from tests.make.rows import entry_rows

rows = []
for routing, ratio in (("add", 1.0), ("dar", 0.5)):
    for row in entry_rows(routing, ratio=ratio, wobble=0.01):
        level = 7 * ratio * (1 + 0.1 * row["pair_id"])
        measured = {"sharpness": level, "oddity": 2.0, "oddity_se": 0.25}
        rows.append({**row, **measured, "rank_by": "sharpness"})
board = rank(to_frame(rows))
page = write_page("toy", [board], Path(sys.argv[1]), Path(sys.argv[1]))
signatures = {"add": Signature(name="add", parameters={}, code_hash="c")}
try:
    overrides = ["task.rank_by=other", "variants=[{routing: add}]"]
    build_space(compose_space("dar_forms", overrides), signatures)
except ValueError as error:
    refusal = str(error)
print(json.dumps({
    "unit": COLUMNS["sharpness"].unit,
    "schema": [name for name in COLUMNS if name.startswith(("sharpness", "oddity"))],
    "refusal": refusal,
    "effect": board.frame["sharpness_effect"].to_list(),
    "page": page.read_text(),
    "table": json.loads(inert(page.read_text())["s1-table"]),
}))
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The output of a copy of darbench whose table has two more rows."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / "darbench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "search_spaces", folder / "search_spaces")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    table = folder / "darbench" / "records" / "metric.py"
    text = table.read_text()
    assert text.count(TABLE) == 1
    table.write_text(text.replace(TABLE, TABLE + ADDED))
    command = [sys.executable, "-c", CONSUMERS, str(folder / "out")]
    ended = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_a_metric_of_the_table_has_its_columns_in_a_row(shown):
    assert shown["schema"] == ["sharpness_draws", "sharpness", "oddity", "oddity_se"]
    assert shown["unit"] == "lp/mm"


def test_a_metric_of_the_table_ranks_if_it_is_compared(shown):
    assert "sharpness" in shown["refusal"] and "oddity" not in shown["refusal"]
    assert shown["effect"] == [pytest.approx(-0.5), 0]
    assert "Sharpness index against add" in shown["page"]
    assert "ranked by sharpness index" in shown["page"]


def test_a_metric_of_the_table_is_on_the_page_with_its_digits_and_its_error(shown):
    assert "<td>3.8500</td>" in shown["page"]
    assert "<dt>Oddity</dt><dd>how odd" in shown["page"]
    column = next(c for c in shown["table"]["columns"] if c["name"] == "oddity")
    assert column["down"] and column["beside"] == ["oddity_se"]
    values = shown["table"]["values"]
    assert (values["oddity"], values["oddity_se"]) == ([2.0, 2.0], [0.25, 0.25])
    assert "Sharpness index over what it costs" in shown["page"]


def test_a_distance_is_called_fid_in_the_features_of_fid_alone():
    assert METRICS["fd"].title_in(FID_FEATURES) == METRICS["fd"].heading(FID_FEATURES) == "FID"
    assert METRICS["fd_inf"].title_in("digits-cnn") == "FD-infinity(digits-cnn)"
    assert METRICS["sfd"].heading("digits-cnn") == "sFD(digits-cnn)"
    assert METRICS["kid"].title_in("digits-cnn") == "KID"
    assert METRICS["val_loss"].heading("digits-cnn") == "Validation loss"


def test_names_and_columns_are_given_once():
    columns = [s.column for m in METRICS.values() for s in m.series]
    columns += [c for m in METRICS.values() for c in (m.name, m.error_column) if c]
    assert len(columns) == len(set(columns))
    assert {*COMPARED, *DESCRIBED} == METRICS.keys() and not {*COMPARED} & {*DESCRIBED}


def test_what_grows_with_quality_is_not_compared_as_if_it_fell():
    with pytest.raises(AssertionError, match="rank downwards"):
        Metric(name="up", title="up", doc="up", better=HIGHER, compared=True)
