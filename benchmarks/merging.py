"""How long does it take to unite 50,000 rows of eight leaderboards, and how much memory?

    python benchmarks/merging.py

Rows are those of a sweep with all their columns, made up. A quarter of each shard is in another
one as well. Prints CPU and wall time of `darbench merge`, of the same again and of reading the
union, and the peak memory.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from darbench.commands.merge import merge
from darbench.records.canonical import canonical_json
from darbench.store import ledger
from tests.make.rows import trial_rows
from tests.make.trials import toy_trial

ROWS, SHARDS, SHARED = 50_000, 8, 0.25


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        names = [write(out / f"shard{i}", i) for i in range(SHARDS)]
        measured("merge", lambda: print(len(merge(names, "all", out)["conflicts"]), "conflicts"))
        measured("again", lambda: merge(names, "all", out))
        measured("read", lambda: print(len(ledger.read_ledger(out / "all" / "ledger")), "rows"))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def write(folder: Path, shard: int) -> str:
    """Write a shard: trials of its own, and the first of the next one's."""
    (folder / "ledger").mkdir(parents=True)
    each = ROWS // SHARDS // 3
    with (folder / "ledger" / "w.jsonl").open("w") as file:
        for owner, count in ((shard, each), ((shard + 1) % SHARDS, int(SHARED * each))):
            for number in range(count):
                for row in trial_rows(toy_trial("dar", owner * each + number)):
                    file.write(canonical_json(row) + "\n")
    return str(folder)


def measured(what: str, do: Callable[[], object]) -> None:
    cpu, wall = time.process_time(), time.perf_counter()
    do()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{what}: {cpu:.2f} s CPU, {wall:.2f} s wall")


if __name__ == "__main__":
    main()
