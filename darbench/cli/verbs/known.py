"""What there is, and what a task needs here."""

from dataclasses import asdict
from typing import Annotated

import typer

from darbench.cli import options as o
from darbench.cli.answer import leave, show
from darbench.cli.loading import load_files
from darbench.command_line import RESULTS
from darbench.errors import unknown

verbs = typer.Typer()


@verbs.command("list", epilog="Example:  darbench list routings")
def list_(
    what: Annotated[str, typer.Argument(metavar="routings|spaces|tasks")],
    load: o.Load = None,
    as_json: o.Json = False,
) -> None:
    """List the routings, search spaces or tasks that there are."""
    from darbench.cli.texts import listing_text
    from darbench.commands.listing import LISTINGS

    if what not in LISTINGS:
        raise unknown("thing to list", what, LISTINGS)
    load_files(load)
    rows = LISTINGS[what]()
    show(rows, lambda: listing_text(rows), as_json, indent=1)


@verbs.command(epilog="Example:  darbench describe dar")
def describe(
    name: Annotated[str, typer.Argument(help="A routing, search space or task.")],
    load: o.Load = None,
) -> None:
    """Print equations, parameters and paper of a routing, or the card of a space or task."""
    from darbench.commands import describe as command

    load_files(load)
    print(command.describe(name))


@verbs.command(
    epilog="Example:  darbench doctor cifar10-small task.data_path=cifar-10-batches-bin"
)
def doctor(
    task: o.AnyTask = None,
    overrides: o.Overrides = None,
    out: o.Out = RESULTS,
    load: o.Load = None,
    as_json: o.Json = False,
) -> None:
    """Say what is missing to run a task here, and how to get it; without a task, in general.

    Exit code 0 if all that is needed is there, 1 if something is missing.
    """
    from darbench.cli.terminal import counting
    from darbench.cli.texts import findings_text
    from darbench.commands import doctor as command

    load_files(load)
    with counting("shards", quiet=as_json) as listener:
        findings = command.examine(task, overrides or [], out, listener)
    plain = [asdict(finding) for finding in findings]
    show(plain, lambda: findings_text(findings), as_json, indent=1)
    leave(failed=any(finding.state == command.MISSING for finding in findings))


@verbs.command(epilog="Example:  darbench cite dar hyper > papers.bib")
def cite(
    names: Annotated[list[str], typer.Argument(metavar="ROUTING...")], load: o.Load = None
) -> None:
    """Print BibTeX of the papers of routings, of the model (sit) and of alignment (repa)."""
    from darbench.commands import cite as command

    load_files(load)
    print(command.cite(names))
