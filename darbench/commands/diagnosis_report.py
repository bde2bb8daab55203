"""The report of a folder's diagnoses: who the trials in its table are, and their pictures."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darbench.pages.colours import GREY, style
from darbench.pages.pictures import Subject, pictures
from darbench.pages.report import write_report
from darbench.store import ledger
from darbench.store.diagnostics import diagnosed_trials, read_diagnostics

_Entry = tuple[str, str, str]  # task, hash of the configuration, hash of the source


def report(folder: Path) -> Path:
    """Write the report beside the table: a section for each task, each `add` first.

    A trial that the ledger does not know, as that of a file, is an entry of its own.
    """
    rows = {row["trial_id"]: row for row in ledger.read_ledger(folder / "ledger")}
    entries: dict[_Entry, list[str]] = {}
    for trial in diagnosed_trials(folder):
        entries.setdefault(_entry(trial, rows.get(trial)), []).append(trial)
    tasks = dict.fromkeys(task for task, _, _ in entries)
    parts = []
    for place, task in enumerate(tasks, start=1):
        own = {entry: trials for entry, trials in entries.items() if entry[0] == task}
        title = f"What the routings do on {task}" if task else "What the routings do"
        subjects = _subjects(own, rows)
        parts.append(
            pictures(f"d{place}", title, subjects, lambda trials: read_diagnostics(folder, trials))
        )
    return write_report(folder, folder.name, parts)


def _entry(trial: str, row: Mapping[str, Any] | None) -> _Entry:
    if row is None:
        return "", trial, ""
    return row["task"], row["config_hash"], row["variant_code_hash"] or ""


def _subjects(
    entries: Mapping[_Entry, list[str]], rows: Mapping[str, Mapping[str, Any]]
) -> list[Subject]:
    heads = {entry: rows.get(trials[0], {}) for entry, trials in entries.items()}
    labels = {entry: _label(entry, head) for entry, head in heads.items()}
    uses, place, subjects = Counter(labels.values()), 0, []
    for entry, trials in entries.items():
        baseline, label = heads[entry].get("routing") == "add", labels[entry]
        subjects.append(
            Subject(
                name="-".join(entry[1:]),
                title=label if uses[label] == 1 else f"{label} · {entry[1][:6]}",
                style=GREY if baseline else style(place),
                baseline=baseline,
                trials=tuple(trials),
            )
        )
        place += not baseline
    return sorted(subjects, key=lambda subject: not subject.baseline)


def _label(entry: _Entry, head: Mapping[str, Any]) -> str:
    return head.get("label") or head.get("routing") or entry[1]
