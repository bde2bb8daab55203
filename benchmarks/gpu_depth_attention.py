"""The softmax read over depth on a GPU: Triton kernels against the naive form, in one run.

    python benchmarks/gpu_depth_attention.py [--dtype bfloat16] [--batch N] [--repeats N] [--json]

The naive form stacks the sources, norms the keys, and takes dot, softmax and weighted sum as
torch operations. Naive, compiled (the naive form through torch.compile) and Triton take turns
(A B C A B C ...); a ratio is the median over rounds of one time over the other's in the same
round. Every token has a query of its own, as in dynamic DAR. The forward starts from the sources,
the norm of their keys included; the backward goes to the gradients of query and sources.
Memory is the peak of each above what is allocated before the forward. Exits 2 without a GPU.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from read_op import fused, naive
from torch import Tensor

from darbench.ops.depth_attention.backends import takes

# tokens, width, sources
SHAPES = {
    "S/2, c4": (256, 384, 9),
    "S/2": (256, 384, 25),
    "XL/2, c4": (256, 1152, 16),
    "XL/2": (256, 1152, 57),
}
# At 57 sources, dynamic; its batch, device and precision of this measurement are not stated.
PAPER = {
    "source": "arXiv:2605.20708",
    "naive_ms": (22.5, 115.8),
    "triton_ms": (1.96, 13.6),
    "naive_ratio": (11.5, 8.5),
    "memory_ratio": (1 - 0.787, 1 - 0.746),
}
PASSES = ("forward", "backward")


def run(
    form: Callable[..., Tensor], leaves: list[Tensor], grad: Tensor
) -> tuple[list[float], list[int]]:
    """Milliseconds, and peak bytes above what was there, of the forward and of the backward."""
    start, middle, end = (torch.cuda.Event(enable_timing=True) for _ in range(3))
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    start.record()
    out = form(leaves[0], leaves[1:])
    middle.record()
    peaks = [torch.cuda.max_memory_allocated() - before]
    torch.cuda.reset_peak_memory_stats()
    torch.autograd.grad(out, leaves, grad)
    end.record()
    peaks.append(torch.cuda.max_memory_allocated() - before)
    torch.cuda.synchronize()
    return [start.elapsed_time(middle), middle.elapsed_time(end)], peaks


def measure(name: str, batch: int, dtype: torch.dtype, repeats: int) -> dict[str, Any]:
    tokens, width, count = SHAPES[name]
    forms = {"naive": naive, "compiled": torch.compile(naive, dynamic=False), "triton": fused}
    leaves = [
        torch.randn(batch, tokens, width, device="cuda", dtype=dtype, requires_grad=True)
        for _ in range(1 + count)
    ]
    grad = torch.randn_like(leaves[0])
    times: dict[str, list[list[float]]] = {key: [] for key in forms}
    peaks: dict[str, list[int]] = {}
    for round_ in range(repeats + 2):
        for key, form in forms.items():
            taken, peaks[key] = run(form, leaves, grad)
            if round_ > 1:  # the first two compile and warm up
                times[key].append(taken)

    def ratio(key: str, i: int) -> float:
        rounds = zip(times[key], times["triton"], strict=True)
        return statistics.median(other[i] / ours[i] for other, ours in rounds)

    def per_pass(value: Callable[[int], float]) -> dict[str, float]:
        return {name: value(i) for i, name in enumerate(PASSES)}

    return {
        "shape": name,
        "batch": batch,
        "tokens": tokens,
        "width": width,
        "sources": count,
        "dtype": str(dtype).removeprefix("torch."),
        "device": torch.cuda.get_device_name(),
        **{
            f"{key}_ms": per_pass(lambda i, key=key: statistics.median(t[i] for t in times[key]))
            for key in forms
        },
        "naive_ratio": per_pass(lambda i: ratio("naive", i)),
        "compiled_ratio": per_pass(lambda i: ratio("compiled", i)),
        "peak_mib": {key: [n / 2**20 for n in peaks[key]] for key in forms},
        "memory_ratio": per_pass(lambda i: peaks["triton"][i] / peaks["naive"][i]),
    }


def show(records: list[dict[str, Any]]) -> None:
    print(
        f"{'shape':12}{'pass':>10}{'naive':>10}{'compiled':>10}{'triton':>10}"
        f"{'/ naive':>10}{'/ compiled':>12}{'memory':>9}"
    )
    for r in records:
        for name in PASSES:
            print(
                f"{r['shape']:12}{name:>10}{r['naive_ms'][name]:8.2f}ms"
                f"{r['compiled_ms'][name]:8.2f}ms{r['triton_ms'][name]:8.2f}ms"
                f"{r['naive_ratio'][name]:9.1f}x{r['compiled_ratio'][name]:11.1f}x"
                f"{r['memory_ratio'][name]:9.3f}"
            )
    for i, name in enumerate(PASSES):
        print(
            f"{'paper, 57':12}{name:>10}{PAPER['naive_ms'][i]:8.2f}ms{'':10}"
            f"{PAPER['triton_ms'][i]:8.2f}ms{PAPER['naive_ratio'][i]:9.1f}x{'':12}"
            f"{PAPER['memory_ratio'][i]:9.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="bfloat16")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (torch.cuda.is_available() and takes(torch.empty(0, device="cuda"))):
        print("gpu_depth_attention: needs a CUDA device and triton", file=sys.stderr)
        sys.exit(2)
    dtype = getattr(torch, options.dtype)
    records = [measure(s, options.batch, dtype, options.repeats) for s in SHAPES]
    if options.json:
        print(json.dumps({"records": records, "paper": PAPER}, indent=1))
    else:
        show(records)


if __name__ == "__main__":
    main()
