"""Weights & Biases: a run for each trial, in a project of the leaderboard's name.

WANDB_MODE=offline keeps the runs under wandb/ in the leaderboard's folder, for `wandb sync`.
Nothing of this machine is sent: neither its name, nor its load, code, git or packages.
"""

import json
from pathlib import Path

import wandb

from darbench.search.trackers.tracker import Row, measured, run_id, run_name
from darbench.store.ledger import FINISHED

QUIET = {"silent": True, "console": "off"}
PRIVATE = {
    "host": "",
    "save_code": False,
    "disable_git": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


class WeightsAndBiases:
    """A tracker that logs the measured numbers of each row at its step."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._runs: dict[str, wandb.Run] = {}  # of trials that run

    def show(self, row: Row) -> None:
        key = run_id(row)
        if key not in self._runs:
            self._runs[key] = self._begin(key, row)
        run = self._runs[key]
        run.log(dict(measured(row)), step=row["step"])
        if row["final"]:
            run.summary["status"] = row["status"]
            self._runs.pop(key).finish(exit_code=int(row["status"] not in FINISHED))

    def close(self) -> None:
        for run in self._runs.values():
            run.finish()

    def _begin(self, key: str, row: Row) -> wandb.Run:
        return wandb.init(
            project=self._folder.name,
            dir=self._folder,
            id=key,
            name=run_name(row),
            group=row["label"],
            job_type=row["split"],
            config=json.loads(row["config_json"]) | {"seed": row["pair_id"]},
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(**QUIET, **PRIVATE),
        )
