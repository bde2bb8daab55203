"""The softmax read over depth: native kernels against the naive form, in one run.

    python benchmarks/read_op.py [--threads 1 2] [--repeats N] [--json]

The naive form stacks the sources, norms the keys, and takes dot, softmax and weighted sum as
torch operations. Naive, native and a copy of the sources take turns (A B C A B C ...); a ratio is
the median over rounds of one time over the other's in the same round. Forward and backward is
from the sources to the gradients of query and sources, all overheads of autograd included.
Memory is what autograd keeps between the two, the sources themselves not counted.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from darbench.ops.depth_attention import depth_attention, source

# batch, tokens, width, sources
SHAPES = {
    "nano": (64, 16, 32, 9),
    "nano, all sources": (64, 16, 32, 25),
    "S/2, c4": (8, 256, 384, 9),
    "S/2": (8, 256, 384, 18),
    "XL/2": (4, 256, 1152, 57),
}


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


def measure(name: str, threads: int, repeats: int) -> dict[str, Any]:
    batch, tokens, width, count = SHAPES[name]
    torch.set_num_threads(threads)
    values = [torch.randn(batch, tokens, width) for _ in range(count)]
    copies = [torch.empty_like(v) for v in values]
    query, grad = torch.randn(width), torch.randn(batch, tokens, width)
    leaves = [x.clone().requires_grad_() for x in (query, *values)]

    def both(form: Callable[..., Tensor]) -> Callable[[], None]:
        return lambda: torch.autograd.grad(form(leaves[0], leaves[1:]), leaves, grad)

    def copy() -> None:
        for into, v in zip(copies, values, strict=True):
            into.copy_(v)

    # As a reader finds them whose sources have been read before.
    _, prepared = depth_attention(query, [source(v) for v in values], width**-0.5)
    actions: dict[str, Callable[[], Any]] = {
        "copy": copy,
        "naive": lambda: naive(query, values),
        "native": lambda: depth_attention(query, prepared, width**-0.5),
        "naive both": both(naive),
        "native both": both(fused),
    }
    times: dict[str, list[float]] = {key: [] for key in actions}
    for round_ in range(repeats + 1):
        for key, action in actions.items():
            start = time.perf_counter()
            action()
            if round_:  # the first only warms up
                times[key].append(time.perf_counter() - start)

    def ratio(a: str, b: str) -> float:
        return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))

    memory = [kept_bytes(lambda f=f: f(leaves[0], leaves[1:]), leaves) for f in (fused, naive)]
    return {
        "shape": name,
        "batch": batch,
        "tokens": tokens,
        "width": width,
        "sources": count,
        "backend": "native",
        "threads": threads,
        "forward_ms": 1e3 * statistics.median(times["native"]),
        "forward_backward_ms": 1e3 * statistics.median(times["native both"]),
        "forward_ratio": ratio("naive", "native"),
        "forward_backward_ratio": ratio("naive both", "native both"),
        "forward_vs_memcpy": ratio("native", "copy"),
        "memory_ratio": memory[0] / memory[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    records = [measure(s, n, options.repeats) for n in options.threads for s in SHAPES]
    if options.json:
        print(json.dumps(records, indent=1))
        return
    print(
        f"{'shape':20}{'threads':>8}{'forward':>10}{'+ backward':>12}{'/ memcpy':>10}{'memory':>9}"
    )
    for r in records:
        print(
            f"{r['shape']:20}{r['threads']:8}{r['forward_ratio']:9.1f}x"
            f"{r['forward_backward_ratio']:11.1f}x{r['forward_vs_memcpy']:10.2f}"
            f"{r['memory_ratio']:9.3f}"
        )


if __name__ == "__main__":
    main()
