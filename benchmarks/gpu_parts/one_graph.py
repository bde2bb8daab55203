"""A training step as one graph at S/2: routing, embeddings and head compiled with the trunk.

A graph takes about a minute to compile, so this part is the last, in the time that is left, and
`--only one_graph --minutes 20` measures all of it.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from step_time import Bench, Shape, random_batch
from torch import Tensor

from gpu_parts.record import Row, attempt, digits
from gpu_parts.sizes import compiling, shapes
from gpu_parts.steps import DTYPE, ROUTINGS, in_turns, ratio

SIZE = "S/2"
LINES = {f"step of `{name}`, one graph": (SIZE,) for name in ROUTINGS}

Compiled = tuple[Bench, float]  # and the seconds of its first step


def rows(device: str) -> Iterator[Row]:
    shape = shapes(device)[SIZE]
    batch = random_batch(shape, device)
    add = cache(partial(_compiled, "add", shape, batch, device))
    for name, line in zip(ROUTINGS, LINES, strict=True):
        own = add if name == "add" else partial(_compiled, name, shape, batch, device)
        yield attempt(line, SIZE, partial(measure, add, own, batch))


def _compiled(name: str, shape: Shape, batch: tuple[Tensor, ...], device: str) -> Compiled:
    bench = Bench(*ROUTINGS[name], shape, device)
    bench.model.compile(**compiling(device))
    started = time.perf_counter()
    bench.timed_step(batch, DTYPE)
    return bench, time.perf_counter() - started


def measure(
    base: Callable[[], Compiled], own: Callable[[], Compiled], batch: tuple[Tensor, ...]
) -> tuple[str, dict[str, Any]]:
    """Measure a routing beside `add`, or `add` beside itself."""
    (add, _), (routing, seconds) = base(), own()
    rounds = in_turns([add, routing], batch)
    kept = [bench.activation_bytes(batch, DTYPE) for bench in (add, routing)]
    figures = {"ms": rounds, "peak_bytes": kept, "compile_s": seconds, "batch": len(batch[0])}
    if routing is add:
        ms = statistics.median(ms for ms, _ in rounds)
        step = f"{digits(ms)} ms; {digits(kept[0] / 1e9)} GB"
    else:
        step = f"{digits(ratio(rounds))}x; memory {digits(kept[1] / kept[0])}x"
    return f"{step}; compiled in {seconds:.0f} s", figures
