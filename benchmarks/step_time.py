"""Training-step time and activation memory of every routing against add, in one run.

    python benchmarks/step_time.py [--shape nano S/2] [--dtype float32 bfloat16] [--threads N]
                                   [--repeats N] [--json]

All variants of a shape take turns, step by step (A B C A B C ...), so that a machine that slows
down slows all of them; a ratio is the median over rounds of a variant's time over add's in the
same round and precision, bfloat16 being autocast of the forward. Memory is what autograd keeps
between forward and backward, parameters not counted (on CUDA: the peak allocated above what was
there before the step).
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from darbench.flow.transport import DEFAULT
from darbench.metrics.cost.flops import step_flops
from darbench.model.sit import SiT
from darbench.records.settings import Training
from darbench.registry import ROUTINGS
from darbench.trial.learner import make_optimizer


@dataclass(frozen=True)
class Shape:
    """Backbone and batch; S/2 is SiT-S/2 on 32 x 32 x 4 latents, 256 tokens."""

    depth: int
    width: int
    heads: int
    side: int
    channels: int
    classes: int
    batch: int


SHAPES = {
    "nano": Shape(12, 32, 4, side=8, channels=1, classes=10, batch=64),
    "S/2": Shape(12, 384, 6, side=32, channels=4, classes=1000, batch=8),
}

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("add", {}),
    ("denseformer", {}),
    ("hyper", {"dynamic": False, "streams": 2}),
    ("hyper", {"dynamic": True, "streams": 4}),
    ("dar", {"query": "static", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "static_t", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "dynamic", "history": "chunk_last", "span": 4}),
    ("dar", {"query": "static", "history": "full"}),
    ("dar", {"query": "dynamic", "history": "full"}),
    ("dar", {"query": "static_t", "history": "chunk_sum", "span": 4}),
    ("dar", {"query": "static_t", "history": "window", "span": 4}),
    ("mhc", {"streams": 4}),
]


class Bench:
    """One variant with its optimiser, on the batch that all variants share."""

    def __init__(self, routing: str, params: dict[str, Any], shape: Shape, device: str):
        self.name = " ".join([routing, *(f"{k}={v}" for k, v in params.items())])
        build = builder(routing, params, shape)
        self.flops = step_flops(build, shape.batch, (shape.channels, shape.side, shape.side))
        self.model = build().to(device)
        self.optimizer = make_optimizer(self.model, Training(lr=1e-4))
        self.device = device
        self.times: dict[str, list[float]] = {}

    def loss(self, batch: tuple[Tensor, ...], dtype: str) -> Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=dtype == "bfloat16"):
            return DEFAULT.loss_at(self.model, *batch).mean()

    def step(self, batch: tuple[Tensor, ...], dtype: str = "float32") -> None:
        self.loss(batch, dtype).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def timed_step(self, batch: tuple[Tensor, ...], dtype: str = "float32") -> None:
        self._synchronize()
        start = time.perf_counter()
        self.step(batch, dtype)
        self._synchronize()
        self.times.setdefault(dtype, []).append(time.perf_counter() - start)

    def activation_bytes(self, batch: tuple[Tensor, ...], dtype: str = "float32") -> int:
        if self.device == "cuda":
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            self.step(batch, dtype)
            return torch.cuda.max_memory_allocated() - before
        parameters = {p.untyped_storage().data_ptr() for p in self.model.parameters()}
        kept: dict[int, int] = {}

        def keep(x: Tensor) -> Tensor:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x.detach()  # with its history, an output would keep itself alive

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            loss = self.loss(batch, dtype)
        total = sum(size for pointer, size in kept.items() if pointer not in parameters)
        del loss
        return total

    def _synchronize(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def builder(routing: str, params: dict[str, Any], shape: Shape) -> Callable[[], SiT]:
    return partial(
        SiT,
        partial(ROUTINGS.get(routing), **params),
        depth=shape.depth,
        width=shape.width,
        heads=shape.heads,
        patch=2,
        side=shape.side,
        channels=shape.channels,
        classes=shape.classes,
    )


def random_batch(shape: Shape, device: str) -> tuple[Tensor, ...]:
    """x1, label, x0, t as `Transport.loss_at` takes them."""
    generator = torch.Generator().manual_seed(0)
    x1, x0 = torch.randn(
        2, shape.batch, shape.channels, shape.side, shape.side, generator=generator
    )
    label = torch.randint(shape.classes, (shape.batch,), generator=generator)
    t = torch.rand(shape.batch, generator=generator)
    return tuple(a.to(device) for a in (x1, label, x0, t))


def measure(name: str, dtypes: list[str], repeats: int, device: str) -> list[dict[str, Any]]:
    """One record per precision and variant of the shape, add first."""
    shape = SHAPES[name]
    batch = random_batch(shape, device)
    benches = [Bench(routing, params, shape, device) for routing, params in VARIANTS]
    for bench in benches:  # first steps allocate the optimiser's state
        bench.step(batch)
    for _ in range(repeats):
        for bench in benches:
            for dtype in dtypes:
                bench.timed_step(batch, dtype)
    return [r for dtype in dtypes for r in _records(name, benches, batch, dtype)]


def _records(
    name: str, benches: list[Bench], batch: tuple[Tensor, ...], dtype: str
) -> list[dict[str, Any]]:
    memory = [bench.activation_bytes(batch, dtype) for bench in benches]
    add = benches[0]
    return [
        {
            "routing": bench.name,
            "shape": name,
            "dtype": dtype,
            "threads": torch.get_num_threads(),
            "step_ms": 1e3 * statistics.median(bench.times[dtype]),
            "ratio_to_add": statistics.median(
                mine / base
                for mine, base in zip(bench.times[dtype], add.times[dtype], strict=True)
            ),
            "flops_ratio_to_add": bench.flops / add.flops,
            "memory_mb": kept / 1e6,
            "memory_ratio_to_add": kept / memory[0],
        }
        for bench, kept in zip(benches, memory, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--dtype", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    records = [
        r
        for shape in options.shape
        for r in measure(shape, options.dtype, options.repeats, options.device)
    ]
    if options.json:
        print(json.dumps(records, indent=1))
        return
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, "
        f"{options.threads} thread(s), median of {options.repeats}"
    )
    print(
        f"{'shape':6}{'dtype':10}{'routing':44}{'ms':>9}{'time':>8}{'FLOPs':>8}{'MB':>9}{'memory':>8}"
    )
    for r in records:
        print(
            f"{r['shape']:6}{r['dtype']:10}{r['routing']:44}{r['step_ms']:9.1f}{r['ratio_to_add']:7.2f}x"
            f"{r['flops_ratio_to_add']:7.2f}x{r['memory_mb']:9.1f}{r['memory_ratio_to_add']:7.2f}x"
        )


if __name__ == "__main__":
    main()
