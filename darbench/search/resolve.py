"""From values to values: the paths and hashes of a task's data, a recipe's encoder and trunk.

Of the steps from a name to a trial, only this one reads data from the disk.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darbench import data
from darbench.cache import remembered
from darbench.errors import BadInput
from darbench.files import file_hash
from darbench.records.canonical import content_hash
from darbench.records.settings import Task
from darbench.registry import ENCODERS
from darbench.search.compose import Values
from darbench.search.files import cards, tasks_folder
from darbench.store.shelf import shelf
from darbench.trial.encoder_names import default_encoder, need_pictures


def resolve(values: Values) -> Values:
    """Return the values, with paths and fingerprints of the files filled in.

    BadInput where files are missing, or are not those that the task declares.
    """
    values = find_encoder(values)
    values |= {"grounds": [*map(_with_place, values["grounds"])]}
    values |= {"grounds": [*map(_with_trunk, values["grounds"])]}
    tasks = {each["task"]["name"]: each["task"] for each in values["grounds"]}
    located = {name: task | _data_of(task) for name, task in tasks.items()}
    return values | {
        "grounds": [each | {"task": located[each["task"]["name"]]} for each in values["grounds"]]
    }


def find_encoder(values: Values) -> Values:
    """Return the values with the name of the encoder and the fingerprint of its weights."""
    return values | {"grounds": [*map(_with_encoder, values["grounds"])]}


def find_data(task: Mapping[str, Any]) -> dict[str, str]:
    """Return the absolute path and the fingerprint of the task's data; nothing if they ship.

    BadInput if the task declares another fingerprint.
    """
    if not data.from_files(task["data"]):
        for key in ("data_path", "fingerprint"):
            if task[key]:
                raise BadInput(
                    f"task.{key}={task[key]}: {task['data']} are no files; leave it out"
                )
        return {}
    path = os.path.expanduser(task["data_path"])  # ~NOBODY is left as it is
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
    """Return what is to be known of the data here: how files were read that are not plain, and
    how the data differ from those of a task that ships. Empty if there is nothing to say."""
    loaded = data.load(task.data, task.data_path)
    said = list(loaded.remarks)
    if task.name in cards(tasks_folder()) and (differs := data.kind(task.data).departure(loaded)):
        said.append(f"{differs}; only results on the same files compare")
    return f"{task.name}: {'; '.join(said)}" if said else ""


def _with_encoder(ground: Values) -> Values:
    task, training = ground["task"], ground["training"]
    if training["objective"] != "repa":
        return ground
    repa = dict(training["repa"])
    need_pictures(data.kind(task["data"]).shape[0])
    repa["encoder"] = repa["encoder"] or default_encoder(task["extractor"])
    # All registered names are needed only for a name that a user can register; they import torch.
    own = repa["encoder"].isidentifier() and repa["encoder"] in ENCODERS.names()
    prints = [ENCODERS.source_hash(repa["encoder"])] if own else []
    weights = Path(os.path.expanduser(repa["weights"]))
    if weights.is_file():  # if it is missing, the encoder says so
        prints.append(file_hash(weights))
        repa["weights"] = str(weights.absolute())
    made = prints[0] if len(prints) == 1 else content_hash(prints) if prints else ""
    if repa["fingerprint"] not in ("", made):
        raise BadInput(
            f"training.repa.fingerprint={repa['fingerprint']}: encoder {repa['encoder']} has "
            f"{made or 'none'}; leave it out"
        )
    repa["fingerprint"] = made
    return ground | {"training": training | {"repa": repa}}


def _with_place(ground: Values) -> Values:
    """The ground with the whole path of the folder for states; BadInput for a URL of none."""
    place = ground["training"]["save_to"]
    if place and "://" in place:
        shelf(place)
    elif place:
        place = os.path.realpath(os.path.expanduser(place))
    return ground | {"training": ground["training"] | {"save_to": place}}


def _with_trunk(ground: Values) -> Values:
    """The ground with the whole path and the hash of the weights that its trunks start with."""
    training = ground["training"]
    given, declared = training["init_from"], training["init_hash"]
    if not given:
        if declared:
            raise BadInput(f"training.init_hash={declared}: give training.init_from, that file")
        return ground
    path = Path(os.path.expanduser(given)).absolute()
    if not path.is_file():
        raise BadInput(f"training.init_from={given}: no such file")
    made = file_hash(path)
    if declared not in ("", made):
        raise BadInput(f"training.init_hash={declared}: {path} has {made}; leave it out")
    return ground | {"training": training | {"init_from": str(path), "init_hash": made}}


def _data_of(task: Mapping[str, Any]) -> dict[str, str]:
    """Do as `find_data` does, and check that data which ship are those of the protocol.

    The error of a task that ships names its doctor.
    """
    has_doctor = data.from_files(task["data"]) and task["name"] in cards(tasks_folder())
    try:
        located = find_data(task)
    except BadInput as error:
        hint = f"; see `darbench doctor {task['name']}`" if has_doctor else ""
        raise BadInput(f"{error}{hint}") from None
    if not data.from_files(task["data"]):  # check that their content is the protocol's
        remembered("data", task["data"], lambda: data.load(task["data"]).fingerprint)
    return located
