"""Does a change to darbench move a number? Run one small sweep over every built-in routing, two
of them also from a user's file, with the tree before and the tree after, and compare the rows.

    python benchmarks/same_rows.py record OUT [--tree FOLDER]   # of another checkout
    python benchmarks/same_rows.py compare BEFORE AFTER         # exit code 1 if a number moved

Every column that both trees measure must be equal bit for bit, but for wall times, provenance and
what --except names.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
SPACE, OWN = HERE / "rows" / "every_routing.yaml", HERE / "rows" / "own.py"
KEY = ("routing", "params_json", "pair_id", "step")


def record(out: Path, tree: Path) -> int:
    """Sweep into OUT/every_routing with the darbench of that tree; the exit code of the sweep."""
    command = [
        sys.executable,
        "-m",
        "darbench",
        "sweep",
        "--space",
        str(SPACE),
        "--load",
        str(OWN),
        "--out",
        str(out.resolve()),
        "--device",
        "cpu",
    ]
    environment = os.environ | {"PYTHONPATH": str(tree.resolve())}
    return subprocess.run(command, env=environment, cwd=tree).returncode


def rows(out: Path) -> dict[tuple, dict]:
    """Every row of the ledger by routing, parameters, pair id and step."""
    lines = (
        json.loads(line)
        for path in sorted((out / "every_routing" / "ledger").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    return {tuple(row[name] for name in KEY): row for row in lines}


def compare(before: dict[tuple, dict], after: dict[tuple, dict], excepted: set[str]) -> bool:
    """Print what differs, column by column; whether nothing does."""
    strangers = before.keys() ^ after.keys()
    for key in sorted(strangers, key=str):
        print("only", "before:" if key in before else "after: ", *key)
    keys = sorted(before.keys() & after.keys())
    columns = {
        name
        for key in keys
        for name in before[key].keys() & after[key].keys()
        if name not in excepted
    }
    moved = Counter(
        name for key in keys for name in columns if before[key].get(name) != after[key].get(name)
    )
    for name, count in sorted(moved.items()):
        example = next(key for key in keys if before[key].get(name) != after[key].get(name))
        values = f"{before[example][name]!r:.70} -> {after[example][name]!r:.70}"
        print(f"{name}: {count} of {len(keys)} rows, such as {example[0]}: {values}")
    gone = {name for key in keys for name in before[key].keys() - after[key].keys()}
    come = {name for key in keys for name in after[key].keys() - before[key].keys()}
    print(f"{len(keys)} rows, {len(columns)} columns compared, {len(moved)} moved")
    print("columns gone:", *sorted(gone), "\ncolumns come:", *sorted(come))
    print("left out:", *sorted(excepted))
    return bool(keys) and not moved and not strangers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("out", type=Path)
    recording.add_argument("--tree", type=Path, default=HERE.parent)
    comparing = verbs.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--except", nargs="*", default=[], dest="excepted")
    given = parser.parse_args()
    if given.verb == "record":
        sys.exit(record(given.out, given.tree))
    volatile = {
        "train_seconds",
        "eval_seconds",
        "step_ms_p50",
        "step_ms_p95",
        "step_own_ms_p50",
        "peak_mem_bytes",
        "created_utc",
        "attempt",
        "git_sha",
        "git_dirty",
        "error",
    }
    excepted = volatile | set(given.excepted)
    sys.exit(not compare(rows(given.before), rows(given.after), excepted))


if __name__ == "__main__":
    main()
