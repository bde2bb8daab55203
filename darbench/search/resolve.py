"""Values to values: where a task's data lie, what is in them, and which encoder a recipe aligns
to. Of the steps from a name to a trial it is the only one that reads data from the disk."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darbench import data
from darbench.cache import remembered
from darbench.errors import BadInput
from darbench.records.canonical import content_hash
from darbench.records.settings import Task
from darbench.registry import ENCODERS
from darbench.search.compose import Values
from darbench.search.files import cards, tasks_folder
from darbench.trial.encoder_names import default_encoder, need_pictures


def resolve(values: Values) -> Values:
    """The values with what only files can tell filled in; BadInput where these are not there, or
    are not what the task declares."""
    values = find_encoder(values)
    return values | {"task": values["task"] | _data_of(values["task"])}


def find_encoder(values: Values) -> Values:
    """With the encoder of representation alignment named, and the fingerprint of its weights."""
    task, training = values["task"], values["training"]
    if training["objective"] != "repa":
        return values
    repa = dict(training["repa"])
    need_pictures(data.kind(task["data"]).shape[0])
    repa["encoder"] = repa["encoder"] or default_encoder(task["extractor"])
    # Only names that a user can give need all registered ones, which come with torch.
    own = repa["encoder"].isidentifier() and repa["encoder"] in ENCODERS.names()
    prints = [ENCODERS.source_hash(repa["encoder"])] if own else []
    weights = Path(os.path.expanduser(repa["weights"]))
    if weights.is_file():  # where it is not, the encoder says what is wrong
        with weights.open("rb") as file:
            prints.append(hashlib.file_digest(file, "sha256").hexdigest()[:16])
        repa["weights"] = str(weights.absolute())
    if prints:
        repa["fingerprint"] = prints[0] if len(prints) == 1 else content_hash(prints)
    return values | {"training": training | {"repa": repa}}


def find_data(task: Mapping[str, Any]) -> dict[str, str]:
    """Where the files of the task's data lie, from anywhere, and the fingerprint of what is in
    them; nothing for data that ship. BadInput if the task declares another one."""
    if not data.from_files(task["data"]):
        for key in ("data_path", "fingerprint"):
            if task[key]:
                raise BadInput(
                    f"task.{key}={task[key]}: {task['data']} are no files; leave it out"
                )
        return {}
    path = os.path.expanduser(task["data_path"])  # which leaves ~NOBODY as it is
    path = path and os.path.realpath(path)
    fingerprint = data.load(task["data"], path).fingerprint
    if task["fingerprint"] not in ("", fingerprint):
        raise BadInput(
            f"{path}: holds data of fingerprint {fingerprint}, task {task['name']} is of "
            f"{task['fingerprint']}; give the task.data_path of those, or "
            f"task.fingerprint={fingerprint}"
        )
    return {"data_path": path, "fingerprint": fingerprint}


def departure(task: Task) -> str:
    """What sets the data that lie here for a task that ships apart from those it is of; empty
    where nothing does. Of a task of the user's own there is nothing to say."""
    if task.name not in cards(tasks_folder()):
        return ""
    differs = data.kind(task.data).departure(data.load(task.data, task.data_path))
    return differs and f"{task.name}: {differs}; only results on the same files compare"


def _data_of(task: Mapping[str, Any]) -> dict[str, str]:
    """As `find_data`, of data that ship only those of the protocol; of a task that ships, an error
    names its doctor."""
    has_doctor = data.from_files(task["data"]) and task["name"] in cards(tasks_folder())
    try:
        found = find_data(task)
    except BadInput as error:
        hint = f"; see `darbench doctor {task['name']}`" if has_doctor else ""
        raise BadInput(f"{error}{hint}") from None
    if not data.from_files(task["data"]):  # that their content is the protocol's
        remembered("data", task["data"], lambda: data.load(task["data"]).fingerprint)
    return found
