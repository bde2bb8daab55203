"""Leaderboards as files: united, sent, received, cleared."""

from pathlib import Path
from typing import Annotated

import typer

from darbench.cli import options as o
from darbench.cli.answer import leave, show
from darbench.command_line import RESULTS

verbs = typer.Typer()


@verbs.command(epilog="Example:  darbench merge here/dar_variants there/dar_variants --to all")
def merge(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names, or folders.")],
    to: Annotated[str, typer.Option(help="Name of the leaderboard in OUT that they become.")],
    out: o.Out = RESULTS,
    as_json: o.Json = False,
) -> None:
    """Unite leaderboards, such as those of several machines; no row is lost.

    Exit code 1 if they have measured different numbers for one step of a trial.
    """
    from darbench.cli.operation import merged_text
    from darbench.commands import merge as command

    made = command.merge(names, to, out)
    show(made, lambda: merged_text(made, to, out), as_json)
    leave(failed=bool(made["conflicts"]))


@verbs.command(epilog="Example:  darbench export dar_variants --to dar_variants.zip")
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A leaderboard, or its folder.")],
    to: Annotated[Path, typer.Option(help="File to write; one that is there is replaced.")],
    samples: Annotated[bool, typer.Option("--samples", help="Pictures of samples, too.")] = False,
    out: o.Out = RESULTS,
    as_json: o.Json = False,
) -> None:
    """Write a leaderboard to one file: its rows and what its board needs, no weights."""
    from darbench.cli.operation import exported_text
    from darbench.commands import export as command

    made = command.export(name, to, out, samples=samples)
    show(made, lambda: exported_text(made), as_json)


@verbs.command("import", epilog="Example:  darbench import dar_variants.zip")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `darbench export`.")],
    out: o.Out = RESULTS,
    as_json: o.Json = False,
) -> None:
    """Read a leaderboard from one file; one of its name in OUT is united with it.

    Exit code 1 if they have measured different numbers for one step of a trial.
    """
    from darbench.cli.operation import merged_text
    from darbench.commands import import_ as command

    made = command.import_(file, out)
    show(made, lambda: merged_text(made, made["name"], out), as_json)
    leave(failed=bool(made["conflicts"]))


@verbs.command(epilog="Example:  darbench clean dar_variants --dry-run")
def clean(
    name: o.Name = "",
    out: o.Out = RESULTS,
    states: Annotated[bool, typer.Option("--states", help="All states of trials.")] = False,
    cached: Annotated[bool, typer.Option("--cache", help="The cache of darbench.")] = False,
    dry_run: o.DryRun = False,
    as_json: o.Json = False,
) -> None:
    """Remove what finished trials and killed processes have left on the disk.

    With --states also what trials go on from that were cut off, and with --cache what darbench
    keeps so as not to work it out twice.
    """
    from darbench.cli.operation import cleaned_text
    from darbench.commands import clean as command

    freed = command.clean(name, out, states=states, cached=cached, dry_run=dry_run)
    show(freed, lambda: cleaned_text(freed), as_json)
