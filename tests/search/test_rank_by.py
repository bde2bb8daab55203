"""Another metric for a finished sweep: nothing runs, and the board ranks by it."""

import json
import re

import pytest

import darbench
from darbench.board.build import build
from darbench.store import ledger
from tests.make.rows import last_row
from tests.make.spaces import TINY, load, write

TWO = "seeds: [0, 1]\nvariants: [{routing: add}, {routing: denseformer}]\n" + TINY
MEASURED = {"add": (0.5, 9.0), "denseformer": (0.6, 8.0)}  # validation loss, FD


@pytest.fixture
def swept(tmp_path):
    """A space and the folder of its sweeps, in which every trial has finished."""
    space = load(tmp_path, TWO)
    for configuration in space.grid():
        loss, fd = MEASURED[configuration.variant.routing]
        for seed in space.seeds:
            row = last_row(configuration.trial(seed, "confirm"))
            row |= {"val_loss": loss, "fd": fd, "train_flops": 1e9, "budget_flops": 1e9}
            ledger.append(tmp_path / "mine" / "ledger" / "made.jsonl", row)
    return write(tmp_path, TWO), tmp_path


def shown(page) -> tuple[str, list[str]]:
    """The metric that ranks the page, and its entries in order."""
    text = page.read_text()
    entries = re.findall(r'<span class="rank">\d</span>.*?<a href="[^"]*">(\w+)</a>', text)
    return re.search("ranked by (.*?) ·", text)[1], entries


def again(space, out, *overrides: str) -> tuple[str, list[str]]:
    outcome = darbench.sweep(space, overrides, out=out)
    assert (outcome.done, outcome.skipped) == (0, 4)
    return shown(outcome.board)


def test_the_last_sweep_decides(swept):
    by_loss = ("validation loss", ["add", "denseformer"])
    by_fd = ("FD(digits-cnn)", ["denseformer", "add"])
    assert again(*swept) == by_loss
    assert again(*swept, "task.rank_by=fd") == by_fd
    assert shown(build("mine", swept[1])) == by_fd
    assert again(*swept) == by_loss


def test_what_was_declared_before_metrics_were_is_read(swept):
    again(*swept, "task.rank_by=fd")
    path = swept[1] / "mine" / "declared.json"
    told = json.loads(path.read_text())
    assert set(told.pop("rank_by").values()) == {"fd"}
    path.write_text(json.dumps(told))
    assert shown(build("mine", swept[1])) == ("validation loss", ["add", "denseformer"])
    assert again(*swept, "task.rank_by=fd")[0] == "FD(digits-cnn)"
