"""The softmax read over depth: native kernels against a copy, the naive form, another checkout.

    python benchmarks/read_op.py [--before TREE] [--busy] [--threads 1 2] [--repeats N] [--json]

The naive form stacks the sources, norms the keys, and takes dot, softmax and weighted sum as
torch operations. A copy of the sources, naive and native take turns (A B C A B C ...), and so do
the processes of two checkouts; a ratio is the median over rounds of one time over the other's in
the same round. Times are CPU time with one thread, wall time with more. Forward and backward is
from the sources to the gradients of query and sources, all overheads of autograd included.
Memory is what autograd keeps between the two, the sources themselves not counted.

Everything is measured with the system's malloc, which gives large blocks back and has their pages
cleared and mapped anew, and with one that keeps what it has, for naive and native alike. --busy:
another process multiplies matrices all the while.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from turns import Turns

from darbench.ops.depth_attention import depth_attention, source

HERE = Path(__file__).parents[1]
# batch, tokens, width, sources
SHAPES = {
    "nano": (64, 16, 32, 9),
    "nano, all sources": (64, 16, 32, 25),
    "S/2, c4": (8, 256, 384, 9),
    "S/2": (8, 256, 384, 18),
    "XL/2": (4, 256, 1152, 57),
}
MALLOCS = {
    "gives back": {},
    "keeps": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)},
}
CHILD = """
import json, sys
from read_op import Bench
bench = Bench(*json.loads(sys.argv[1]))
for _ in sys.stdin:
    print(json.dumps(bench.round()), flush=True)
"""
BUSY = """
import os, torch
torch.set_num_threads(1)
a, parent = torch.randn(1024, 1024), os.getppid()
while os.getppid() == parent:
    a @ a
"""


def naive(query: Tensor, values: list[Tensor]) -> Tensor:
    width = query.shape[-1]
    stacked = torch.stack(values)
    keys = torch.nn.functional.rms_norm(stacked, (width,), eps=1e-6)
    alpha = torch.softmax((query * keys).sum(-1) * width**-0.5, dim=0)
    return (alpha.unsqueeze(-1) * stacked).sum(0)


def fused(query: Tensor, values: list[Tensor]) -> Tensor:
    h, _ = depth_attention(query, [source(v) for v in values], query.shape[-1] ** -0.5)
    return h


def kept_bytes(run: Callable[[], Tensor], given: list[Tensor]) -> int:
    own = {x.untyped_storage().data_ptr() for x in given}
    sizes: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x.detach()  # with its history, an output would keep itself alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        out = run()
    del out
    return sum(size for pointer, size in sizes.items() if pointer not in own)


class Bench:
    """One shape in this process."""

    def __init__(self, shape: str, threads: int):
        batch, tokens, width, count = SHAPES[shape]
        torch.set_num_threads(threads)
        self.clock = time.process_time if threads == 1 else time.perf_counter
        values = [torch.randn(batch, tokens, width) for _ in range(count)]
        self.values, self.copies = values, [torch.empty_like(v) for v in values]
        query, self.grad = torch.randn(width), torch.randn(batch, tokens, width)
        self.leaves = [x.clone().requires_grad_() for x in (query, *values)]
        # As a reader finds them whose sources have been read before.
        _, prepared = depth_attention(query, [source(v) for v in values], width**-0.5)
        self.actions: dict[str, Callable[[], Any]] = {
            "copy": self.copy,
            "naive": lambda: naive(query, values),
            "native": lambda: depth_attention(query, prepared, width**-0.5),
            "naive both": lambda: self.both(naive),
            "native both": lambda: self.both(fused),
        }

    def copy(self) -> None:
        for into, v in zip(self.copies, self.values, strict=True):
            into.copy_(v)

    def both(self, form: Callable[..., Tensor]) -> None:
        torch.autograd.grad(form(self.leaves[0], self.leaves[1:]), self.leaves, self.grad)

    def round(self) -> dict[str, float]:
        """Seconds of each action."""
        times = {}
        for name, action in self.actions.items():
            start = self.clock()
            action()
            times[name] = self.clock() - start
        return times

    def memory_ratio(self) -> float:
        forms = (lambda f=f: f(self.leaves[0], self.leaves[1:]) for f in (fused, naive))
        ours, theirs = (kept_bytes(form, self.leaves) for form in forms)
        return ours / theirs


def rounds(trees: list[Path], malloc: str, shape: str, threads: int, repeats: int) -> list[list]:
    """The times of every round of each checkout, taken in turns."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                closing(Turns(tree, CHILD, [shape, threads], HERE / "benchmarks", MALLOCS[malloc]))
            )
            for tree in trees
        ]
        for child in children:  # the first round only warms up
            child.turn()
        made: list[list] = [[] for _ in trees]
        for i in range(repeats):
            for j in range(len(trees)) if i % 2 else reversed(range(len(trees))):
                made[j].append(children[j].turn())
    return made


def ratio(times: list[dict[str, float]], a: str, b: str) -> float:
    return statistics.median(x[a] / x[b] for x in times)


def measure(options: argparse.Namespace, shape: str, malloc: str, threads: int) -> dict[str, Any]:
    batch, tokens, width, count = SHAPES[shape]
    trees = [HERE, *([options.before] if options.before else [])]
    times, *before = rounds(trees, malloc, shape, threads, options.repeats)
    both = ratio(times, "native both", "copy")
    record = {
        "shape": shape,
        "batch": batch,
        "tokens": tokens,
        "width": width,
        "sources": count,
        "backend": "native",
        "threads": threads,
        "malloc": malloc,
        "busy": options.busy,
        "forward_ms": 1e3 * statistics.median(x["native"] for x in times),
        "forward_backward_ms": 1e3 * statistics.median(x["native both"] for x in times),
        "forward_ratio": ratio(times, "naive", "native"),
        "forward_backward_ratio": ratio(times, "naive both", "native both"),
        "forward_vs_memcpy": ratio(times, "native", "copy"),
        "forward_backward_vs_memcpy": both,
        "memory_ratio": Bench(shape, threads).memory_ratio(),
    }
    for earlier in before:
        record["before_forward_vs_memcpy"] = ratio(earlier, "native", "copy")
        record["before_forward_backward_vs_memcpy"] = ratio(earlier, "native both", "copy")
    return record


@contextmanager
def other_core_busy(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


HEADINGS = (
    f"{'shape':19}{'malloc':>11}{'threads':>8} | naive / native {'+ backward':>11} |"
    f" native / memcpy {'+ backward':>11} | {'before':>7}{'+ backward':>11} | memory"
)


def line(r: dict[str, Any]) -> str:
    before = "".join(
        f"{r[name]:{size}.2f}" if name in r else f"{'':{size}}"
        for name, size in (
            ("before_forward_vs_memcpy", 7),
            ("before_forward_backward_vs_memcpy", 11),
        )
    )
    return (
        f"{r['shape']:19}{r['malloc']:>11}{r['threads']:8} | {r['forward_ratio']:13.1f}x"
        f" {r['forward_backward_ratio']:10.1f}x | {r['forward_vs_memcpy']:15.2f}"
        f" {r['forward_backward_vs_memcpy']:11.2f} | {before} | {r['memory_ratio']:6.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout, compared in turns")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--malloc", nargs="+", choices=MALLOCS, default=list(MALLOCS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.json:
        print(HEADINGS)
    records = []
    with other_core_busy(options.busy):
        for threads in options.threads:
            for shape in options.shape:
                for malloc in options.malloc:
                    records.append(measure(options, shape, malloc, threads))
                    if not options.json:
                        print(line(records[-1]), flush=True)
    if options.json:
        print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
