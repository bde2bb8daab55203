"""A training step of `add` and of six routings, eager and with the trunk's sublayers compiled.

bfloat16 is autocast of the forward, as a trial trains. `add` and a routing take turns, and a ratio
is the median over rounds. Blocks share the code of their sublayers, so that two graphs serve all
of a model's; embeddings, head and routing stay eager. Memory is the peak of an eager step above
what was there before it.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import torch
from step_time import Bench, Shape, random_batch
from torch import Tensor

from gpu_parts.record import Row, attempt, digits, pair
from gpu_parts.sizes import compiling, shapes

DTYPE = "bfloat16"
ROUTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("add", {}),
    "hyper dynamic n=4": ("hyper", {"dynamic": True, "streams": 4}),
    "dar static c4": ("dar", {"query": "static", "history": "chunk_last", "span": 4}),
    "dar dynamic c4": ("dar", {"query": "dynamic", "history": "chunk_last", "span": 4}),
    "dar static full": ("dar", {"query": "static", "history": "full"}),
    "dar dynamic full": ("dar", {"query": "dynamic", "history": "full"}),
    "mhc n=4": ("mhc", {"streams": 4}),
}
LINES = {f"step of `{name}`, eager / compiled": ("S/2", "B/2", "XL/2") for name in ROUTINGS}
STANCES = {"eager": "force_eager", "compiled": "default"}
WARM_UP, REPEATS = 2, 7


def rows(device: str) -> Iterator[Row]:
    for column, shape in shapes(device).items():
        torch.compiler.reset()  # graphs of another width would count as recompilations
        yield from _of_shape(column, shape, device)


def _of_shape(column: str, shape: Shape, device: str) -> Iterator[Row]:
    batch = random_batch(shape, device)
    add = cache(partial(_bench, "add", shape, device))  # it stays for the others' turns
    for name, line in zip(ROUTINGS, LINES, strict=True):
        own = add if name == "add" else partial(_bench, name, shape, device)
        yield attempt(line, column, partial(measure, add, own, batch))


def _bench(name: str, shape: Shape, device: str) -> Bench:
    bench = Bench(*ROUTINGS[name], shape, device)
    for block in bench.model.blocks:
        for sublayer in (block.attn, block.mlp):
            sublayer.compile(**compiling(device))
    return bench


def measure(
    base: Callable[[], Bench], own: Callable[[], Bench], batch: tuple[Tensor, ...]
) -> tuple[str, dict[str, Any]]:
    """Measure a routing beside `add`, or `add` beside itself."""
    add, routing = base(), own()
    found: dict[str, Any] = {"batch": len(batch[0]), "flops": [add.flops, routing.flops]}
    for name, stance in STANCES.items():
        with torch.compiler.set_stance(stance):
            found[f"{name}_ms"] = in_turns([add, routing], batch)
            found[f"{name}_bytes"] = [b.activation_bytes(batch, DTYPE) for b in (add, routing)]
    return (_absolute if routing is add else _relative)(found), found


def in_turns(benches: Sequence[Bench], batch: tuple[Tensor, ...]) -> list[list[float]]:
    """Milliseconds of a step of each bench, round by round."""

    def step(bench: Bench) -> float:
        bench.timed_step(batch, DTYPE)
        return 1e3 * bench.times[DTYPE][-1]

    rounds = [[step(bench) for bench in benches] for _ in range(WARM_UP + REPEATS)]
    return rounds[WARM_UP:]


def ratio(rounds: list[list[float]]) -> float:
    return statistics.median(routing / add for add, routing in rounds)


def _absolute(found: dict[str, Any]) -> str:
    ms = [statistics.median(add for add, _ in found[f"{name}_ms"]) for name in STANCES]
    rates = [found["flops"][0] / t / 1e9 for t in ms]
    memory = digits(found["eager_bytes"][0] / 1e9)
    return f"{pair(*ms)} ms; {pair(*rates)} TFLOP/s; {memory} GB; batch {found['batch']}"


def _relative(found: dict[str, Any]) -> str:
    times = [ratio(found[f"{name}_ms"]) for name in STANCES]
    flops, memory = (b / a for a, b in (found["flops"], found["eager_bytes"]))
    return f"{pair(*times, 'x')}; FLOPs {digits(flops)}x; memory {digits(memory)}x"
