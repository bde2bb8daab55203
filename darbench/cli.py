"""The command line: argv to one call per verb. Heavy imports stay inside the verbs."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from darbench import __version__
from darbench.errors import BadInput, unknown

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    help="Architecture-search benchmark suite for residual routing in diffusion transformers.",
    epilog="First run:  darbench sweep --space dar_variants --quick",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Hydra overrides, such as training.steps=200 or seeds=[0,1]."),
]
Out = Annotated[Path, typer.Option(help="Folder under which every result is written.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def main() -> NoReturn:
    """Entry point: bad input is one line and exit code 2, an interruption exit code 130."""
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BadInput as error:
        code = _complain(str(error), EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough; nor can the rest be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except Exception as error:
        if not hasattr(error, "format_message"):  # the mark of a usage error of Typer's
            raise
        code = _complain(error.format_message(), EXIT_BAD_INPUT)
    if code == EXIT_INTERRUPTED:
        print("darbench: interrupted", file=sys.stderr)
    sys.exit(code)


def _complain(message: str, code: int) -> int:
    print("darbench:", " ".join(message.split()), file=sys.stderr)
    return code


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


@app.command("list", epilog="Example:  darbench list routings")
def list_(
    what: Annotated[str, typer.Argument(metavar="routings|spaces|tasks")],
    as_json: Json = False,
) -> None:
    """What there is: routings, search spaces, tasks."""
    listings = {"routings": _routings, "spaces": _spaces, "tasks": _tasks}
    if what not in listings:
        raise unknown("thing to list", what, listings)
    rows = listings[what]()
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column, style="bold" if column == "name" else "")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)


@app.command(epilog="Example:  darbench train --routing dar params.query=dynamic --seed 1")
def train(
    routing: Annotated[str, typer.Option(help="A name of `darbench list routings`.")],
    overrides: Overrides = None,
    task: Annotated[str, typer.Option(help="A name of `darbench list tasks`.")] = "digits-nano",
    seed: Annotated[int, typer.Option(min=0, help="Pair id: equal seeds share all noise.")] = 0,
    out: Out = Path("leaderboards"),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train one trial and print its checkpoints; the rows go to OUT/train."""
    from darbench.search.single import train_one

    def show(row: dict[str, Any]) -> None:
        if not as_json:
            print(_checkpoint_line(row), flush=True)

    def say(note: str) -> None:
        print(note, file=sys.stderr)

    rows = train_one(
        routing, task, overrides or [], seed=seed, out=out, device=device, show=show, say=say
    )
    last = rows[-1]
    if as_json:
        print(json.dumps(rows))
    elif last["status"] == "ok":
        print(f"row hash {last['row_hash']}; trial {last['trial_id']}")
        print(f"next: darbench board --space train{_out_option(out)}")
    if last["status"] != "ok":
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example:  darbench sweep --space dar_variants training.steps=200 seeds=[0,1]")
def sweep(
    space: Annotated[str, typer.Option(help="A name of `darbench list spaces`, or a YAML file.")],
    overrides: Overrides = None,
    out: Out = Path("leaderboards"),
    workers: Annotated[
        int | None, typer.Option(help="Trials at a time; default: one a core, or one a GPU.")
    ] = None,
    device: Device = "auto",
    quick: Annotated[bool, typer.Option("--quick", help="The task's short form.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run.")] = False,
    as_json: Json = False,
) -> None:
    """Run every trial of a search space that has not run yet, and build its leaderboard."""
    from darbench.search import sweep as sweeps

    overrides = overrides or []
    if dry_run:
        _show_plan(sweeps.preview(space, overrides, out=out, quick=quick), as_json)
        return
    from darbench.display import listening

    command = ["darbench", "sweep", "--space", space, *(["--quick"] if quick else []), *overrides]
    with listening(quiet=as_json) as listener:
        outcome = sweeps.sweep(
            space, overrides, out=out, workers=workers, device=device, quick=quick,
            command=shlex.join(command), listener=listener,
        )  # fmt: skip
    if as_json:
        print(json.dumps(outcome.summary()))
    else:
        print(_closing(outcome, shlex.join(command) + _out_option(out), out))
    if outcome.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if outcome.failed:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example:  darbench board --space dar_variants")
def board(
    space: Annotated[str, typer.Option(help="Name of a sweep under OUT.")],
    out: Out = Path("leaderboards"),
    as_json: Json = False,
) -> None:
    """Rebuild results.parquet and the leaderboard page from the ledger."""
    from darbench.board.build import build

    if not (out / space / "ledger").is_dir():
        ran = [p.parent.name for p in out.glob("*/ledger")] if out.is_dir() else []
        if not ran:
            raise BadInput(f"no sweep has written to {out}; run `darbench sweep --space {space}`")
        raise unknown(f"sweep in {out}", space, ran)
    path = build(space, out)
    if as_json:
        print(json.dumps({"board": str(path), "results": str(out / space / "results.parquet")}))
    else:
        print(f"leaderboard: {path}\nnext: open it in a browser")


def _routings() -> list[dict[str, Any]]:
    from darbench import registry

    rows = []
    for name, cls in registry.routings().items():
        parameters = registry.signature(name).parameters.values()
        shown = {p.name: list(p.choices) or p.default for p in parameters}
        title = (sys.modules[cls.__module__].__doc__ or "").strip().partition("\n")[0]
        rows.append({"name": name, "paper": cls.paper, "parameters": shown, "what": title})
    return rows


def _spaces() -> list[dict[str, Any]]:
    from darbench.search.compose import cards, spaces_folder

    found = cards(spaces_folder()).items()
    return [
        {"name": name, "variants": len(card.get("variants", [])), "what": card.get("summary", "")}
        for name, card in found
    ]


def _tasks() -> list[dict[str, Any]]:
    from darbench.search.compose import cards, tasks_folder

    return [
        {
            "name": name,
            "steps": card["training"]["steps"],
            "ranked by": card["task"]["rank_by"],
            "what": card["task"]["summary"],
        }
        for name, card in cards(tasks_folder()).items()
    ]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(
            f"{k}={'|'.join(map(str, v)) if isinstance(v, list) else v}" for k, v in value.items()
        )
    return str(value)


def _checkpoint_line(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']} at step {row['step']}: {row['error']}"
    line = f"step {row['step']:>6}  {row['train_flops']:.2e} FLOP  val_loss {row['val_loss']:.4f}"
    if row["fd"] is not None:
        line += f"  FD({row['extractor']}) {row['fd']:.2f}"
    return line


def _show_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(plan))
        return
    for label in plan["configurations"]:
        print(label)
    print(
        f"{plan['total']} trials ({plan['sampler']}, seeds {plan['seeds']}), "
        f"{plan['finished']} finished already, budget {plan['steps']} add steps each; nothing ran"
    )


def _closing(outcome: Any, command: str, out: Path) -> str:
    minutes, seconds = divmod(round(outcome.seconds), 60)
    lines = [
        f"{outcome.total} trials: {outcome.done} done, {outcome.failed} failed, "
        f"{outcome.skipped} finished earlier, in {minutes} min {seconds} s"
    ]
    if outcome.interrupted:
        lines.append(f"interrupted with {outcome.left} trials left; go on with: {command}")
    lines.append(f"leaderboard: {outcome.board}")
    if outcome.failed and not outcome.interrupted:
        lines.append(f"next: the board lists the failures; to try them again: {command}")
    elif not outcome.interrupted:
        lines.append(f"next: open it in a browser; results as a table: {outcome.results}")
    return "\n".join(lines)


def _out_option(out: Path) -> str:
    return "" if out == Path("leaderboards") else f" --out {shlex.quote(str(out))}"
