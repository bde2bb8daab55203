"""Trials: one, all of a search space, or those that workers share."""

import sys
from dataclasses import asdict
from functools import partial
from typing import Any

import typer

from darbench.cli import options as o
from darbench.cli.answer import leave, show
from darbench.cli.loading import load_files
from darbench.command_line import RESULTS, command_line, published

verbs = typer.Typer()


@verbs.command(epilog="Example:  darbench train --routing dar params.query=dynamic --seed 1")
def train(
    routing: o.Routing,
    overrides: o.Overrides = None,
    task: o.Task = "digits-nano",
    seed: o.Seed = 0,
    out: o.Out = RESULTS,
    device: o.Device = "auto",
    load: o.Load = None,
    as_json: o.Json = False,
) -> None:
    """Train one trial and print its checkpoints; the rows go to OUT/train."""
    from darbench.cli.texts import checkpoint_line, trained_text
    from darbench.commands import train as command

    load_files(load)

    def report(row: dict[str, Any]) -> None:
        if not as_json:
            print(checkpoint_line(row), flush=True)

    listeners = {"show": report, "say": partial(print, file=sys.stderr)}
    rows = command.train_one(
        routing, task, overrides or [], seed=seed, out=out, device=device, **listeners
    )
    ok = rows[-1]["status"] == "ok"
    if as_json or ok:
        show(rows, lambda: trained_text(rows[-1], out), as_json)
    leave(failed=not ok)


@verbs.command(epilog="Example:  darbench sweep --space dar_variants 'seeds=[0,1]'")
def sweep(
    space: o.Space,
    overrides: o.Overrides = None,
    out: o.Out = RESULTS,
    workers: o.Workers = None,
    device: o.Device = "auto",
    load: o.Load = None,
    quick: o.Quick = False,
    dry_run: o.DryRun = False,
    as_json: o.Json = False,
) -> None:
    """Run every trial of a search space that has not run yet, and build its leaderboard.

    Routings of loaded files join the space's variants with their defaults, unless it names them.
    """
    from darbench.cli.terminal import listening
    from darbench.cli.texts import closing, preview_text
    from darbench.search import sweep as sweeps

    given = {"overrides": overrides or [], "quick": quick, "own": load_files(load)}
    if dry_run:
        preview = sweeps.preview(space, **given, out=out, workers=workers)
        show(preview, lambda: preview_text(preview), as_json)
        return
    loads = [word for path in load or [] for word in ("--load", str(path))]
    flags = [*loads, *(["--quick"] if quick else [])]
    words = ["darbench", "sweep", "--space", space, *flags, *given["overrides"]]
    where = {"out": out, "workers": workers, "device": device}
    with listening(quiet=as_json) as listener:
        result = sweeps.sweep(space, **given, **where, command=published(words), listener=listener)
    again = command_line(words, **where)
    show(result.summary(), lambda: closing(result, again), as_json)
    leave(interrupted=result.interrupted, failed=result.failed > 0)


@verbs.command(epilog="Example:  darbench worker --space dar_variants --out shared")
def worker(
    space: o.Space,
    overrides: o.Overrides = None,
    out: o.Out = RESULTS,
    device: o.Device = "auto",
    load: o.Load = None,
    quick: o.Quick = False,
    silent: o.Silent = 60.0,
    as_json: o.Json = False,
) -> None:
    """Run trials of a grid together with other workers, on any machine that shares OUT.

    Each runs one trial at a time, until all have ended; one that another leaves behind by dying is
    taken over. Start as many as you like, such as a job array.
    """
    from darbench.cli.texts import worked_text
    from darbench.search import headless

    given = {"overrides": overrides or [], "quick": quick, "own": load_files(load)}
    files = [str(path.resolve()) for path in load or []]
    say = partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    made = headless.work(
        space, **given, out=out, device=device, files=files, silent_s=silent, say=say
    )
    show(asdict(made), lambda: worked_text(made, out), as_json)
    leave(failed=made.failed > 0)
