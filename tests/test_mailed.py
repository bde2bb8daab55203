"""What is mailed, the folder of a leaderboard, says nothing of the machine that it was made on."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.make.pages import inert
from tests.make.spaces import TINY, write

KEPT = (".lock", ".working")  # of a running sweep: they may name a host, and nobody mails them
PLUGIN = """
from pathlib import Path

import torch
from darbench import Routing, register


class Own(Routing):
    equals_add = "strong"

    def begin(self, x, cond):
        return x

    def read(self, state, site):
        return state

    def write(self, state, site, v):
        return state + v

    def elementwise_flops(self, tokens):
        return self.sites * tokens * self.width


@register("own")
class Kept(Own):
    pass


@register("lost")
class Lost(Own):
    def read(self, state, site):
        if state.device.type != "meta" and self.training and torch.is_grad_enabled():
            raise RuntimeError(f"cannot find {Path.home() / 'a b.pt'}, nor '{__file__}'")
        return state
"""
# What any process of the sweep takes for the name of its host.
HOST = "import socket; socket.gethostname = lambda: 'telltale-host'"
SPACE = "seeds: [0]\nvariants: [{routing: add}, {routing: own}, {routing: lost}]\n"


@pytest.mark.slow
def test_no_exported_file_names_a_folder_a_home_a_host_or_a_user(tmp_path):
    home, work = tmp_path / "home" / "telltale-user", tmp_path / "telltale folder"
    home.mkdir(parents=True)
    space = write(work, SPACE + TINY)
    (work / "plugin.py").write_text(PLUGIN)
    (home / "sitecustomize.py").write_text(HOST)
    path = os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))
    where = ["--out", str(work / "out"), "--load", str(work / "plugin.py"), "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "darbench", "sweep", "--space", space, *where],
        cwd=work,
        env=os.environ | {"HOME": str(home), "USER": "telltale-user", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1 and "2 done, 1 failed" in done.stdout, done.stderr
    found = exported(work / "out" / "mine")
    assert {Path(name).suffix for name in found} >= {".html", ".parquet", ".jsonl", ".json"}
    for name, text in found.items():
        for told in ("telltale", str(tmp_path)):
            assert told not in text and told not in name, f"{name} says {told}"
    assert "a b.pt" in (text := found["results.csv"]) and "plugin.py" in text
    assert "--load plugin.py" in found["index.html"]


def exported(folder: Path) -> dict[str, str]:
    """The text of every file, of the table in other forms, and of what the page carries packed."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in KEPT]
    texts = {str(f.relative_to(folder)): f.read_bytes().decode("latin-1") for f in files}
    table = pl.read_parquet(folder / "results.parquet")
    flat = [name for name, kind in table.schema.items() if kind != pl.List(pl.Float64)]
    inside = inert(texts["index.html"]).items()
    unpacked = {name: part.decode("utf-8", "replace") for name, part in inside}
    return texts | unpacked | {"results.csv": table.select(flat).write_csv()}
