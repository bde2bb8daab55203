"""How large a page is, how long it takes to build, and how soon a browser shows and rescores it.

    python benchmarks/page.py [--entries N] [--seeds N] [--checkpoints N] [--repeats N] [--json]

The rows are made up, of one section, no two values alike, with a sample picture for every entry.
Sizes are in MB; the rest are medians: of processor seconds for the build, which has one thread,
and of milliseconds in headless Chromium. At 300 entries and 30,000 rows the file is to take 2.7 MB
at most, 0.8 MB of it pictures, the build 10 s, the first paint 1 s and a rescoring 300 ms.
"""

import argparse
import json
import random
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from darbench.board.page import write_page
from darbench.board.rank import sections
from darbench.records.schema import make_row
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Report, Trial, Variant
from darbench.store.tables import to_frame

BUDGET, STEPS = 4e12, 1000
TASK = Task(name="made-up", data="digits", extractor="digits-cnn", rank_by="val_loss")
PAINTED = """() => new Promise((told) => new PerformanceObserver((list) =>
    told(list.getEntries()[0].startTime)).observe({ type: "paint", buffered: true }))"""
RESCORED = """async (budget) => {
    const data = await read("s1"), started = performance.now();
    rescore(data, { budget });
    return performance.now() - started;
}"""


def trial_of(entry: int, seed: int) -> Trial:
    params = {"span": entry, "form": f"made up {entry % 7}"} if entry else {}
    return Trial(
        task=TASK,
        model=Model(depth=4, width=64, heads=4),
        training=Training(steps=STEPS),
        evaluation=Evaluation(),
        variant=Variant(routing="dar" if entry else "add", params=params),
        pair_id=seed,
        code_hash="c0",
    )


def rows_of(trial: Trial, level: float, checkpoints: int, rng: random.Random) -> Iterator[dict]:
    cost = 1 + 0.2 * random.Random(trial.config_hash).random()
    machine = {"device": "cpu", "hw_class": "made-up", "threads": 1, "torch": "2.14.1"}
    machine["created_utc"] = "2031-05-01T10:00:00"
    for k in range(1, checkpoints + 1):
        step = -int(-STEPS * k / checkpoints // cost)
        flops = step * cost * BUDGET / STEPS
        loss = level * (flops / BUDGET) ** -0.1 * (1 + rng.gauss(0, 0.002))
        measured = {
            "samples_seen": step * 64,
            "train_flops": flops,
            "budget_flops": BUDGET,
            "flops_routing_share": 1 - 1 / cost,
            "params_total": 100_000 + int(1000 * cost),
            "params_routing": int(1000 * cost),
            "step_ms_p50": 10 * cost * (1 + rng.gauss(0, 0.03)),
            "train_seconds": step * 0.01 * cost * (1 + rng.gauss(0, 0.03)),
            "peak_mem_bytes": int(1e8 * cost),
            "val_loss": loss,
            "fd": 20 * loss * (1 + rng.gauss(0, 0.02)),
            "fd_inf": 19 * loss * (1 + rng.gauss(0, 0.02)),
            "fd_inf_se": 0.5,
            "kid": 0.01 * loss,
            "kid_se": 0.001,
            "precision": rng.random(),
            "recall": rng.random(),
        }
        report = Report(step=step, final=k == checkpoints, measured=measured)
        yield make_row(trial, report, machine, leaderboard="made-up", attempt=1)


def made_up(entries: int, seeds: int, checkpoints: int, samples: Path) -> list[dict]:
    """All rows; a picture of the first seed of every entry lies in `samples`."""
    rng, rows = random.Random(0), []
    for entry in range(entries):
        effect = rng.gauss(0, 0.03) if entry else 0.0
        for seed in range(seeds):
            trial = trial_of(entry, seed)
            level = (1 + 0.1 * seed) * (1 + effect) * (1 + rng.gauss(0, 0.004))
            rows += rows_of(trial, level, checkpoints, rng)
        grey = bytes(rng.getrandbits(8) for _ in range(96 * 96))
        Image.frombytes("L", (96, 96), grey).save(samples / f"{trial_of(entry, 0).id}.png")
    return rows


def sizes(page: str) -> dict[str, float]:
    """What the file is made of, in MB."""
    inert = re.findall(r'<script type="text/plain" id="(.*?)">(.*?)</script>', page)
    parts = {re.sub(r"s\d+-", "", name): len(text) for name, text in inert}
    parts["pictures"] = sum(map(len, re.findall(r'src="(data:.*?)"', page)))
    whole = len(page.encode())
    return {"page": whole / 1e6, **{k: v / 1e6 for k, v in parts.items()}} | {
        "html": (whole - sum(parts.values())) / 1e6
    }


def build_seconds(rows: list[dict], folder: Path) -> float:
    started = time.process_time()
    write_page("made-up", sections(to_frame(rows)), folder, folder / "samples")
    return time.process_time() - started


def in_browser(browser: Browser, path: Path, share: float) -> dict[str, float]:
    """Milliseconds until the first paint, and of one rescoring at a share of the budget."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    told = {"first paint": page.evaluate(PAINTED)}
    told["rescoring"] = page.evaluate(RESCORED, share * BUDGET)
    page.close()
    return told


def measure(entries: int, seeds: int, checkpoints: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples").mkdir()
        rows = made_up(entries, seeds, checkpoints, folder / "samples")
        built = statistics.median(build_seconds(rows, folder) for _ in range(repeats))
        path = folder / "index.html"
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            shares = [1 - 0.05 * k for k in range(repeats)]
            runs = [in_browser(browser, path, share) for share in shares]
            browser.close()
        medians = {k: statistics.median(run[k] for run in runs) for k in runs[0]}
        return {"MB": sizes(path.read_text()), "build, CPU s": built, "ms": medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--checkpoints", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print numbers for a program")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    found = measure(**given)
    if as_json:
        print(json.dumps(found))
        return
    print(f"build {found['build, CPU s']:.2f} CPU s")
    for name, value in found["ms"].items():
        print(f"{name} {value:.0f} ms")
    for name, size in sorted(found["MB"].items(), key=lambda part: -part[1]):
        print(f"{size:6.2f} MB {name}")


if __name__ == "__main__":
    main()
