"""What became of trials: diagnoses, boards, how sweeps stand, logs."""

import sys
from functools import partial
from typing import Annotated

import typer

from darbench.cli import options as o
from darbench.cli.answer import show
from darbench.cli.loading import load_files
from darbench.command_line import RESULTS
from darbench.errors import BadInput

verbs = typer.Typer()


@verbs.command(epilog="Example:  darbench diagnose 0e6bba53680f7e37")
def diagnose(
    trial: o.TrialId = "",
    overrides: o.Overrides = None,
    space: o.Swept = "",
    checkpoint: o.Checkpoint = None,
    routing: o.Routing = "",
    task: o.Task = "digits-nano",
    out: o.Out = RESULTS,
    device: o.Device = "auto",
    load: o.Load = None,
    as_json: o.Json = False,
) -> None:
    """Say what a trained model's routing does over depth and time; writes a table and a report.

    Of a trial that kept its weights (training.keep_weights=last), of all those of a sweep with
    --space, or of a file of weights with --checkpoint and --routing.
    """
    from darbench.cli.diagnosed import diagnosed_text, diagnoses_text
    from darbench.cli.terminal import counting
    from darbench.commands import diagnose as command

    load_files(load)
    given = [word for word in (trial, *(overrides or [])) if word]  # TRIAL is for it alone
    if space:
        several = command.weights_of_space(space, given, out)
        with counting("diagnosed", quiet=as_json) as count:
            made = [*command.diagnose_all(several, device, count)]
        show([each.summary() for each in made], lambda: diagnoses_text(made), as_json)
        return
    if checkpoint is not None:
        weights = command.weights_of_file(checkpoint, routing, task, given, out)
    elif trial:
        weights = command.weights_of_trial(trial, overrides or [], out)
    else:
        raise BadInput("give a TRIAL, --space NAME, or --checkpoint FILE and --routing NAME")
    one = command.diagnose(weights, device)
    show(one.summary(), lambda: diagnosed_text(one), as_json)


@verbs.command(epilog="Example:  darbench board --space dar_variants")
def board(
    space: Annotated[str, typer.Option(help="Name of a sweep under OUT.")] = "",
    index: Annotated[bool, typer.Option("--index", help="One page over all sweeps.")] = False,
    out: o.Out = RESULTS,
    as_json: o.Json = False,
) -> None:
    """Rebuild results.parquet and the leaderboard page from the ledger."""
    from darbench.commands import board as command
    from darbench.commands.board_index import board_index

    if bool(space) == index:
        raise BadInput("give either --space NAME, or --index for a page over all of them")
    if index:
        path = board_index(out)
        return show(path, lambda: f"{path['index']}\nnext: open it in a browser", as_json)
    paths = command.board(space, out, say=partial(print, file=sys.stderr))
    show(paths, lambda: f"leaderboard: {paths['board']}\nnext: open it in a browser", as_json)


@verbs.command(epilog="Example:  darbench status dar_variants")
def status(name: o.Name = "", out: o.Out = RESULTS, as_json: o.Json = False) -> None:
    """Say how sweeps stand, also while they run: trials, workers, failures, disk."""
    from darbench.cli.operation import status_text
    from darbench.commands import status as command

    found = command.status(name, out)
    show(found, lambda: "\n\n".join(map(status_text, found)), as_json)


@verbs.command(epilog="Example:  darbench logs 0e6bba53680f7e37 --follow")
def logs(
    trial: Annotated[str, typer.Argument(help="A trial's id, or its start.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until nobody works on it.")
    ] = False,
    out: o.Out = RESULTS,
) -> None:
    """Print the log of a trial: its attempts, checkpoints, states, and what it printed."""
    from darbench.commands import logs as command

    path = command.find_log(trial, out)
    for text in command.follow(path) if follow else [path.read_text(errors="replace")]:
        print(text, end="", flush=True)
