"""Whether the ledger and the declarations of somebody else hold values of the right kinds."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darbench.errors import BadInput
from darbench.records.schema import SCHEMA
from darbench.store import declared, ledger

KINDS = {"str": str, "int": int, "float": (int, float), "bool": bool, "floats": list}
NAME = re.compile(r"[^\W_][\w.-]{0,99}")  # of a leaderboard
TRIAL = re.compile(r"[0-9A-Za-z_-]{1,64}")  # files are named by it
WORDS = {str: str}
SEEDS = {str: [int]}
PLACE = {"point": {str: object}, "tuned": [str], "split": str, "left": bool}
# Of declarations: a dict has fields by name, or any names with one kind; a list has one kind.
DECLARED = {
    "command": str,
    "seeds": SEEDS,
    "earlier": {str: SEEDS},
    "commands": WORDS,
    "rank_by": WORDS,
    "places": {str: [PLACE]},
    "controls": WORDS,
    "sources": WORDS,
    "files": WORDS,
}


def is_name(name: Any) -> bool:
    """Whether it can be the name of a leaderboard: a word, no path, nothing hidden."""
    return isinstance(name, str) and bool(NAME.fullmatch(name))


def check(folder: Path) -> None:
    """BadInput if rows or declarations have anything that darbench would not have written."""
    for number, (_, row) in enumerate(ledger.read_lines(folder / "ledger"), start=1):
        if wrong := _wrong(row):
            raise BadInput(f"row {number} of the ledger: {wrong} is of a wrong kind")
    try:
        said = json.loads((folder / declared.FILE).read_text())
    except (ValueError, RecursionError):
        said = None
    if not fits(said, DECLARED) or not is_text(said):
        raise BadInput(f"{declared.FILE} is none of darbench")


def is_text(value: Any) -> bool:
    """Whether a value of JSON can be written as UTF-8; half of a surrogate pair cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def fits(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of a kind: a class, or one made of dicts and lists of them."""
    if isinstance(kind, list):
        return isinstance(value, list) and all(fits(each, kind[0]) for each in value)
    if not isinstance(kind, Mapping):
        return isinstance(value, kind) and (kind in (bool, object) or not isinstance(value, bool))
    if not isinstance(value, Mapping):
        return False
    if str in kind:
        return all(fits(each, kind[str]) for each in value.values())
    return value.keys() <= kind.keys() and all(fits(value[name], kind[name]) for name in value)


def _wrong(row: Mapping[str, Any]) -> str:
    """The name of a column with a value that cannot stand there; empty without any."""
    if not isinstance(row["trial_id"], str) or not TRIAL.fullmatch(row["trial_id"]):
        return "trial_id"
    kinds = {column.name: column.kind for column in SCHEMA}
    given = {name: value for name, value in row.items() if value is not None}
    given |= {name: row[name] for name in ledger.NEEDED}
    held = {name: value for name, value in given.items() if name in kinds}
    return next((n for n, v in held.items() if not _holds(v, kinds[n]) or not _reads(n, v)), "")


def _reads(name: str, value: Any) -> bool:
    """Whether a text can be shown, and is an object of JSON where its column has those."""
    if not isinstance(value, str):
        return True
    if not name.endswith("_json"):
        return is_text(value)
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and is_text(said) and is_text(value)


def _holds(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "bool":
        return False
    if kind == "floats":
        return isinstance(value, list) and all(x is None or _holds(x, "float") for x in value)
    large = isinstance(value, int) and not -(2**63) <= value < 2**63
    return isinstance(value, KINDS[kind]) and not large
