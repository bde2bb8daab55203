"""What the routing of a trained model does: `darbench diagnose`."""

import math
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darbench.arithmetic import plain_arithmetic
from darbench.board.reproduce import overrides_of, reproduce_command
from darbench.command_line import command_line
from darbench.commands.diagnosis_report import report
from darbench.commands.leaderboards import in_folder
from darbench.data import load as load_dataset
from darbench.diagnose.columns import scalar_columns
from darbench.diagnose.long_form import long_form
from darbench.diagnose.whole import whole_diagnosis
from darbench.errors import BadInput, unknown
from darbench.model.weights_file import load_weights
from darbench.pages.report import NAME as REPORT
from darbench.records.trial import Trial
from darbench.registry import signatures
from darbench.search.feasible import require_feasible
from darbench.search.load import load_trial
from darbench.search.machine import device as resolve_device
from darbench.store import declared, ledger
from darbench.store.diagnostics import write_diagnostics
from darbench.store.weights import newest_weights
from darbench.trial.build import build_model
from darbench.trial.recipe import make_transport

FOLDER = "diagnose"  # of checkpoints that are no trial's
TASK = "digits-nano"  # whose settings are all replaced where a space made a task of its own
ID = re.compile(r"[0-9a-f]{4,16}")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights, the trial whose model they are of, and where its diagnosis goes."""

    name: str  # in the table
    label: str  # for people
    trial: Trial
    file: Path
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Diagnosed:
    weights: Weights
    table: Path
    report: Path
    columns: dict[str, float]  # of darbench.diagnose.columns
    notes: list[str]

    def summary(self) -> dict[str, Any]:
        return {
            "trial": self.weights.name,
            "routing": self.weights.trial.variant.routing,
            "weights": str(self.weights.file),
            "diagnostics": str(self.table),
            "report": str(self.report),
            "notes": self.notes,
            **{name: x if math.isfinite(x) else None for name, x in self.columns.items()},
        }


def weights_of_trial(trial: str, overrides: Iterable[str], out: Path) -> Weights:
    """The weights that a trial kept, by its id or the first characters of that.

    overrides: where the data lie now. BadInput if no ledger under `out` knows it, or if it kept
    none; that says which command makes them.
    """
    found = {(row["trial_id"], folder): row for folder, row in _rows(out)}
    ids = {name for name, _ in found}
    named = {name for name in ids if ID.fullmatch(trial) and name.startswith(trial)}
    if len(named) > 1:
        raise BadInput(f"{trial}: begins {len(named)} trial ids; give more of one")
    if not named:
        raise unknown(f"trial under {out}", trial, ids)
    (name,) = named
    places = {folder: row for (i, folder), row in found.items() if i == name}
    for folder, row in places.items():
        if file := newest_weights(folder, name):
            return _of_row(row, overrides, file, folder)
    raise BadInput(f"{name}: kept no weights; {_remedy(row, declared.read(folder).files, out)}")


def weights_of_space(space: str, overrides: Sequence[str], out: Path) -> list[Weights]:
    """The newest weights of every trial of a sweep that kept some, in the ledger's order.

    BadInput if no such sweep has run under `out`, or if none of its trials kept weights; that says
    how to have them.
    """
    folder = in_folder(space, out)
    last = {row["trial_id"]: row for row in ledger.read_ledger(folder / "ledger")}
    kept = {name: newest_weights(folder, name) for name in last}
    found = [_of_row(last[name], overrides, file, folder) for name, file in kept.items() if file]
    if found or not last:
        return found
    remedy = _remedy(next(iter(last.values())), declared.read(folder).files, out)
    raise BadInput(
        f"{space}: no trial kept its weights; sweep with training.keep_weights=last "
        f"from the start. Of its first trial {remedy}"
    )


def weights_of_file(
    file: Path, routing: str, task: str, overrides: Iterable[str], out: Path
) -> Weights:
    """The weights in a file of darbench, of the official SiT or of REPA, for a model that task,
    routing and overrides describe."""
    trial = load_trial(routing, task, overrides, 0, signatures())
    label = trial.variant.label or routing
    return Weights(name=file.stem, label=label, trial=trial, file=file, folder=out / FOLDER)


def diagnose(weights: Weights, device: str = "auto") -> Diagnosed:
    """Write the diagnosis of the weights into the table of their folder, and the report anew."""
    made = _measured(weights, device)
    report(weights.folder)
    return made


def _measured(weights: Weights, device: str) -> Diagnosed:
    trial, device = weights.trial, resolve_device(device)
    require_feasible([(trial.variant.routing, trial)])
    dataset = load_dataset(trial.task.data, trial.task.data_path)
    params, transport = dict(trial.variant.params), make_transport(trial.training)
    with plain_arithmetic(device):
        model = build_model(trial.variant.routing, params, trial.model, dataset, trial.pair_id)
        notes = load_weights(model, weights.file)
        model = model.to(device).eval().requires_grad_(False)
        found, times = whole_diagnosis(model, dataset, device, transport)
        columns = scalar_columns(model, dataset, device, transport)
    table = write_diagnostics(weights.folder, weights.name, long_form(found, times))
    page = table.with_name(REPORT)
    return Diagnosed(weights=weights, table=table, report=page, columns=columns, notes=notes)


def diagnose_all(
    several: Sequence[Weights], device: str, told: Callable[[int, int, str], None]
) -> Iterator[Diagnosed]:
    """Diagnose one after the other; each is in the table once it is yielded, all in the report.

    told: takes how many are done, of how many, and which.
    """
    for done, weights in enumerate(several, start=1):
        made = _measured(weights, device)
        if done == len(several):
            report(weights.folder)
        yield made
        told(done, len(several), f"{weights.label}, seed {weights.trial.pair_id}")


def _rows(out: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The last rows of all trials under `out`, each with its leaderboard's folder."""
    for folder in sorted(path.parent for path in out.glob("*/ledger")):
        for row in ledger.read_ledger(folder / "ledger"):
            if ID.fullmatch(row["trial_id"]):
                yield folder, row


def _of_row(row: dict[str, Any], overrides: Iterable[str], file: Path, folder: Path) -> Weights:
    return Weights(
        name=row["trial_id"],
        label=row["label"] or row["routing"],
        trial=_trial_of(row, overrides),
        file=file,
        folder=folder,
    )


def _remedy(row: dict[str, Any], files: Mapping[str, str], out: Path) -> str:
    """How to make the weights of a trial."""
    command = reproduce_command(row["config_json"], row["pair_id"], files)
    if not command:
        return "train it again where its routing is, with training.keep_weights=last"
    words = [*shlex.split(command), "training.keep_weights=last"]
    return f"this makes them: {command_line(words, out)}"


def _trial_of(row: dict[str, Any], overrides: Iterable[str]) -> Trial:
    task, words = overrides_of(row["config_json"])
    words += overrides
    trial = load_trial(row["routing"], task or TASK, words, row["pair_id"], signatures())
    if trial.id != row["trial_id"]:
        raise BadInput(f"{row['trial_id']}: those settings make another trial, {trial.id}")
    return trial
