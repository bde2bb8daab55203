"""The command line's own options, and its groups of verbs in the order of the help."""

from typing import Annotated

import typer

from darbench import __version__
from darbench.cli.verbs import judged, keeping, known, own, results, trials

app = typer.Typer(
    help="Architecture-search benchmark suite for residual routing in diffusion transformers.",
    epilog="First run:  darbench sweep --space dar_variants --quick",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for group in (known, own, trials, judged, results, keeping):
    app.registered_commands += group.verbs.registered_commands


def _version(wanted: bool) -> None:
    if wanted:
        print(f"darbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def darbench(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
