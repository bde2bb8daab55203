"""What a user makes before training: a routing, and latents."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from darbench.cli import options as o
from darbench.cli.answer import leave, show

verbs = typer.Typer()


@verbs.command(epilog="Example:  darbench new my_routing")
def new(
    name: Annotated[str, typer.Argument(help="Name of the routing, and of its file.")],
    out: Annotated[Path, typer.Option(help="Folder of the file.")] = Path("."),
) -> None:
    """Write a routing of your own to start from: NAME.py, commented, 20 lines."""
    from darbench.commands import new as command

    path = command.new(name, out)
    print(f"wrote {path}\nnext: darbench check {shlex.quote(str(path))}")


@verbs.command(epilog="Example:  darbench check my_routing.py")
def check(
    routing: Annotated[str, typer.Argument(help="A routing's name, or a Python file.")],
    overrides: o.Parameters = None,
    as_json: o.Json = False,
) -> None:
    """Check a routing against the contract; say what is wrong with it and how to mend it."""
    from darbench.cli.texts import checks_text
    from darbench.commands.check import conformance

    results = conformance(routing, overrides or [])
    show(results, lambda: checks_text(results), as_json, indent=1)
    leave(failed=not all(result["passed"] for result in results))


@verbs.command(
    epilog="Example:  darbench prepare imagenet --vae sd-vae-ft-ema --data train --out latents"
)
def prepare(
    what: Annotated[str, typer.Argument(metavar="imagenet")],
    vae: o.Vae,
    data: o.Images,
    out: o.Latents,
    size: o.Size = 256,
    workers: o.Processes = None,
    device: o.Device = "auto",
    as_json: o.Json = False,
) -> None:
    """Encode a folder of images into latents to train on; if run again, it continues."""
    from darbench.cli.terminal import counting
    from darbench.cli.texts import prepared_text
    from darbench.commands import prepare as command
    from darbench.data.encode import KEPT

    given = {"vae": vae, "data": data, "out": out, "size": size, "workers": workers}
    try:
        with counting("shards", quiet=as_json) as listener:
            made = command.prepare(what, **given, device=device, listener=listener)
    except KeyboardInterrupt:
        print(KEPT, file=sys.stderr)
        raise
    show(made.summary(), lambda: prepared_text(made), as_json)
