"""How the cost of a training step grows with depth, for reads of the whole history and of chunks.

    python benchmarks/depth_growth.py [--depths 12 24 48 96] [--batch N] [--plot FILE.html]

SiT of width 384 on 256 tokens. At each depth the routings take turns, step by step, as in
step_time.py; beside the time stand the memory that autograd keeps and the exponent of a power law
fitted to each over depth: 1 is growth in proportion.
"""

import argparse
import json
import statistics
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from step_time import SHAPES, Bench, random_batch

ROUTINGS = {
    "add": ("add", {}),
    "dar static c4": ("dar", {"query": "static", "history": "chunk_last", "span": 4}),
    "dar static full": ("dar", {"query": "static", "history": "full"}),
    "dar dynamic full": ("dar", {"query": "dynamic", "history": "full"}),
}


def measure(depth: int, batch_size: int, repeats: int, device: str) -> list[dict[str, Any]]:
    """One record per routing at that depth, in blocks."""
    shape = replace(SHAPES["S/2"], depth=depth, batch=batch_size)
    batch = random_batch(shape, device)
    benches = {name: Bench(*given, shape, device) for name, given in ROUTINGS.items()}
    for bench in benches.values():
        bench.step(batch)
    memory = {name: bench.activation_bytes(batch) for name, bench in benches.items()}
    for _ in range(repeats):
        for bench in benches.values():
            bench.timed_step(batch)
    add = benches["add"].times["float32"]
    return [
        {
            "routing": name,
            "depth": depth,
            "threads": torch.get_num_threads(),
            "step_ms": 1e3 * statistics.median(bench.times["float32"]),
            "ratio_to_add": statistics.median(
                a / b for a, b in zip(bench.times["float32"], add, strict=True)
            ),
            "memory_mb": memory[name] / 1e6,
        }
        for name, bench in benches.items()
    ]


def exponent(records: list[dict[str, Any]], routing: str, quantity: str) -> float:
    """p of the least-squares fit quantity = a depth^p."""
    own = [r for r in records if r["routing"] == routing]
    depths, values = ([r[key] for r in own] for key in ("depth", quantity))
    return float(np.polyfit(np.log(depths), np.log(values), 1)[0])


def plot(records: list[dict[str, Any]], path: str) -> None:
    import plotly.express as px

    figure = px.line(
        records,
        x="depth",
        y="step_ms",
        color="routing",
        log_x=True,
        log_y=True,
        markers=True,
        labels={"depth": "blocks", "step_ms": "training step, ms"},
    )
    figure.write_html(path, config={"showSendToCloud": False, "displaylogo": False})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[12, 24, 48, 96])
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--plot", metavar="FILE.html")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if len(set(options.depths)) < 2:
        parser.error("--depths: give two or more")
    torch.set_num_threads(options.threads)
    records = [
        r
        for d in options.depths
        for r in measure(d, options.batch, options.repeats, options.device)
    ]
    if options.plot:
        plot(records, options.plot)
    if options.json:
        print(json.dumps(records, indent=1))
        return
    print(f"{'routing':20}{'blocks':>8}{'ms':>10}{'to add':>9}{'MB':>10}")
    for r in records:
        print(
            f"{r['routing']:20}{r['depth']:8}{r['step_ms']:10.1f}{r['ratio_to_add']:8.2f}x"
            f"{r['memory_mb']:10.1f}"
        )
    print(f"\n{'exponent of':20}{'time':>8}{'memory':>10}")
    for name in ROUTINGS:
        time_, memory = (exponent(records, name, q) for q in ("step_ms", "memory_mb"))
        print(f"{name:20}{time_:8.2f}{memory:10.2f}")


if __name__ == "__main__":
    main()
