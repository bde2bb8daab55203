"""What a task can tell apart, and what an effect needs."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import typer

from darbench.cli import options as o
from darbench.cli.answer import leave, show
from darbench.command_line import RESULTS, command_line, published

verbs = typer.Typer()


@verbs.command(epilog="Example:  darbench sensitivity --task digits-nano")
def sensitivity(
    task: o.Task,
    overrides: o.Overrides = None,
    out: o.Out = RESULTS,
    workers: o.Workers = None,
    device: o.Device = "auto",
    dry_run: o.DryRun = False,
    as_json: o.Json = False,
) -> None:
    """Test whether a task resolves known differences: its controls against add.

    Exit code 1 if a control is not resolved on the side where it must be.
    """
    from darbench.cli.tables import sensitivity_text
    from darbench.commands import sensitivity as command

    overrides, where = overrides or [], {"out": out, "workers": workers, "device": device}
    if dry_run:
        _show_previews(command.SPACE, command.design(task, overrides), out, workers, as_json)
        return
    words = ["darbench", "sensitivity", "--task", task, *overrides]
    _judge(partial(command.sensitivity, task, overrides), sensitivity_text, words, where, as_json)


@verbs.command("noise-floor", epilog="Example:  darbench noise-floor --task digits-nano")
def noise_floor(
    task: o.Task,
    overrides: o.Overrides = None,
    out: o.Out = RESULTS,
    workers: o.Workers = None,
    device: o.Device = "auto",
    dry_run: o.DryRun = False,
    as_json: o.Json = False,
) -> None:
    """Measure how much of a difference on the task is chance, and how much pairs share."""
    from darbench.cli.tables import noise_floor_text
    from darbench.commands import noise_floor as command

    overrides, where = overrides or [], {"out": out, "workers": workers, "device": device}
    if dry_run:
        _show_previews(command.SPACE, [command.design(task, overrides)], out, workers, as_json)
        return
    words = ["darbench", "noise-floor", "--task", task, *overrides]
    _judge(partial(command.noise_floor, task, overrides), noise_floor_text, words, where, as_json)


def _show_previews(
    space: Path, designs: Iterable[list[str]], out: Path, workers: int | None, as_json: bool
) -> None:
    """Show what the sweeps of a space with each of these lists of overrides would run."""
    from darbench.cli.texts import preview_text
    from darbench.search.sweep import preview

    previews = [preview(str(space), each, out=out, workers=workers) for each in designs]
    show(previews, lambda: "\n".join(map(preview_text, previews)), as_json)


def _judge(
    measure: Callable, text: Callable, words: list[str], where: dict[str, Any], as_json: bool
) -> None:
    """Run the sweeps by which a task is judged, and show the result."""
    from darbench.cli.terminal import listening
    from darbench.search import sweep as sweeps

    with listening(quiet=as_json) as listener:
        run = partial(sweeps.sweep, **where, command=published(words), listener=listener)
        result = measure(run)
    again = command_line(words, **where)
    show(result.summary(), lambda: text(result, again), as_json)
    leave(interrupted=result.interrupted, failed=result.failed)


@verbs.command(epilog="Example:  darbench plan --task digits-nano --effect 2%")
def plan(
    effect: o.Effect,
    task: o.Task = "digits-nano",
    overrides: o.Overrides = None,
    metric: o.Metric = "",
    variants: o.Variants = 1,
    out: o.Out = RESULTS,
    as_json: o.Json = False,
) -> None:
    """Say how many seeds and hours an effect needs, from the measured noise of the task."""
    from darbench.cli.tables import plan_text
    from darbench.commands import plan as command

    share = command.fraction(effect)
    made = command.plan(task, share, overrides or [], metric=metric, variants=variants, out=out)
    show(asdict(made), lambda: plan_text(made), as_json)
