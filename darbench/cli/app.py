"""The command line: argv to one call per verb. Heavy imports stay inside the verbs."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from darbench import __version__
from darbench.errors import BadInput, unknown
from darbench.records.metric import COMPARED, METRICS
from darbench.store.command_line import RESULTS, command_line

PREPARED = ("imagenet",)
RANK_METRIC = f"{' or '.join(COMPARED)}; default: the task's own."
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
Workers = Annotated[
    int | None, typer.Option(help="Trials at a time; default: one a core, or one a GPU.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would run.")]
Load = Annotated[
    list[Path] | None,
    typer.Option("--load", help="A Python file of routings or encoders; may be repeated."),
]


def main() -> NoReturn:
    """Entry point: bad input is one line and exit code 2, an interruption exit code 130."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's Ctrl-C
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BadInput as error:
        code = _complain(str(error), EXIT_BAD_INPUT)
    except PermissionError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _complain(named, EXIT_BAD_INPUT)
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
    load: Load = None,
    as_json: Json = False,
) -> None:
    """What there is: routings, search spaces, tasks."""
    from darbench.commands.listing import LISTINGS

    if what not in LISTINGS:
        raise unknown("thing to list", what, LISTINGS)
    _load(load)
    rows = LISTINGS[what]()
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    wide = ("search parameters", "summary")  # each a table of its own
    _print_table([{k: v for k, v in row.items() if k not in wide} for row in rows])
    for column in rows[0].keys() & wide:
        print()
        _print_table([{"name": row["name"], column: row[column]} for row in rows if row[column]])


@app.command(epilog="Example:  darbench describe dar")
def describe(
    name: Annotated[str, typer.Argument(help="A routing, search space or task.")],
    load: Load = None,
) -> None:
    """Equations, parameters and paper of a routing; the card of a space or task."""
    from darbench.commands import listing as catalogue

    _load(load)
    print(catalogue.describe(name))


@app.command(epilog="Example:  darbench doctor cifar10-small task.data_path=cifar-10-batches-bin")
def doctor(
    task: Annotated[str | None, typer.Argument(help="A name of `darbench list tasks`.")] = None,
    overrides: Overrides = None,
    out: Out = RESULTS,
    load: Load = None,
    as_json: Json = False,
) -> None:
    """What is missing to run a task here, and the step that gets it; without a task, in general.

    Exit code 0 if all that is needed is there, 1 if something is missing.
    """
    from darbench.cli.terminal import counting
    from darbench.commands import doctor

    _load(load)
    with counting("shards", quiet=as_json) as listener:
        if task is None:
            findings = doctor.examine_machine(out, listener)
        else:
            findings = doctor.examine_task(task, overrides or [], out, listener)
    missing = [finding for finding in findings if finding.state == doctor.MISSING]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        print(*map(_finding_lines, findings), sep="\n")
        others = [finding.what for finding in findings if finding.state == doctor.OTHER]
        but = f", but not what is published: {', '.join(others)}" if others else ""
        print(f"{len(missing)} missing" if missing else f"nothing is missing{but}")
    if missing:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example:  darbench cite dar hyper > papers.bib")
def cite(
    names: Annotated[list[str], typer.Argument(metavar="ROUTING...")], load: Load = None
) -> None:
    """BibTeX of the papers behind the routings, the model (sit) and its alignment (repa)."""
    from darbench.commands import listing as catalogue

    _load(load)
    print(catalogue.cite(names))


@app.command(epilog="Example:  darbench new my_routing")
def new(
    name: Annotated[str, typer.Argument(help="Of the routing, and of its file.")],
    out: Annotated[Path, typer.Option(help="Folder of the file.")] = Path("."),
) -> None:
    """Write a routing of your own to start from: NAME.py, commented, 20 lines."""
    from darbench.commands.new import new

    path = new(name, out)
    print(f"wrote {path}\nnext: darbench check {shlex.quote(str(path))}")


@app.command(epilog="Example:  darbench check my_routing.py")
def check(
    routing: Annotated[str, typer.Argument(help="A routing's name, or a Python file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Its parameters, such as params.span=2.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hold a routing against the contract; say what is wrong with it and how to mend it."""
    from darbench.commands.check import conformance

    results = conformance(routing, overrides or [])
    failed = [r for r in results if not r["passed"]]
    if as_json:
        print(json.dumps(results, indent=1))
    else:
        several = len({r["routing"] for r in results}) > 1
        for before, r in zip([None, *results], results, strict=False):
            if several and (before is None or before["routing"] != r["routing"]):
                print(f"{r['routing']}:")
            print(_check_line(r))
        print(f"{len(results) - len(failed)} of {len(results)} checks passed")
    if failed:
        raise typer.Exit(EXIT_FAILED)


@app.command(
    epilog="Example:  darbench prepare imagenet --vae sd-vae-ft-ema --data train --out latents"
)
def prepare(
    what: Annotated[str, typer.Argument(metavar="imagenet")],
    vae: Annotated[Path, typer.Option(help="Folder of diffusers' AutoencoderKL.")],
    data: Annotated[Path, typer.Option(help="Folder of CLASS/*.png or *.jpg.")],
    out: Annotated[Path, typer.Option(help="Folder of the latents.")],
    size: Annotated[int, typer.Option(help="Side to which images are cropped.")] = 256,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a core, or one a GPU.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Encode a folder of images into latents to train on; run again, it goes on where it was."""
    if what not in PREPARED:
        raise unknown("thing to prepare", what, PREPARED)
    for option, folder in (("--vae", vae), ("--data", data)):
        if not folder.is_dir():
            raise BadInput(f"{option} {folder}: no such folder")
    from darbench.cli.terminal import counting
    from darbench.data import kind
    from darbench.data.encode import KEPT, encode
    from darbench.search.machine import device as resolve_device
    from darbench.search.machine import units

    device = resolve_device(device)
    devices = tuple(units(device))
    try:
        with counting("shards", quiet=as_json) as listener:
            manifest = encode(
                data,
                vae,
                out,
                size=size,
                workers=workers or len(devices),
                devices=devices,
                listener=listener,
            )
    except KeyboardInterrupt:
        print(KEPT, file=sys.stderr)
        raise
    if as_json:
        summary = {"out": str(out), "images": manifest.n, "fingerprint": manifest.fingerprint}
        print(json.dumps(summary))
    else:
        print(f"{manifest.n} images, fingerprint {manifest.fingerprint}")
        variable = kind("latents").variable
        print(f"next: export {variable}={shlex.quote(str(out.resolve()))}")
        print("then: darbench doctor imagenet256-b2")


@app.command(epilog="Example:  darbench train --routing dar params.query=dynamic --seed 1")
def train(
    routing: Annotated[str, typer.Option(help="A name of `darbench list routings`.")],
    overrides: Overrides = None,
    task: Annotated[str, typer.Option(help="A name of `darbench list tasks`.")] = "digits-nano",
    seed: Annotated[int, typer.Option(min=0, help="Pair id: equal seeds share all noise.")] = 0,
    out: Out = RESULTS,
    device: Device = "auto",
    load: Load = None,
    as_json: Json = False,
) -> None:
    """Train one trial and print its checkpoints; the rows go to OUT/train."""
    from darbench.commands.train import train_one

    _load(load)

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
        print(f"next: {command_line(['darbench', 'board', '--space', 'train'], out)}")
    if last["status"] != "ok":
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example:  darbench sweep --space dar_variants training.steps=200 seeds=[0,1]")
def sweep(
    space: Annotated[str, typer.Option(help="A name of `darbench list spaces`, or a YAML file.")],
    overrides: Overrides = None,
    out: Out = RESULTS,
    workers: Workers = None,
    device: Device = "auto",
    load: Load = None,
    quick: Annotated[bool, typer.Option("--quick", help="The task's short form.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Run every trial of a search space that has not run yet, and build its leaderboard.

    Routings of loaded files join the space's variants with their defaults, unless it names them.
    """
    from darbench.search import sweep as sweeps

    overrides = overrides or []
    own = _load(load)
    if dry_run:
        found = sweeps.preview(space, overrides, out=out, quick=quick, own=own)
        print(json.dumps(found) if as_json else _plan_lines(found))
        return
    loads = [word for path in load or [] for word in ("--load", str(path))]
    flags = [*loads, *(["--quick"] if quick else [])]
    command = ["darbench", "sweep", "--space", space, *flags, *overrides]
    with _sweeping(command, out, workers, device, quiet=as_json) as run:
        outcome = run(space, overrides, quick=quick, own=own)
    if as_json:
        print(json.dumps(outcome.summary()))
    else:
        print(_closing(outcome, _again(command, out, workers, device)))
    _exit(outcome.interrupted, failed=outcome.failed > 0)


@app.command(epilog="Example:  darbench sensitivity --task digits-nano")
def sensitivity(
    task: Annotated[str, typer.Option(help="A name of `darbench list tasks`.")],
    overrides: Overrides = None,
    out: Out = RESULTS,
    workers: Workers = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Whether the task tells apart what is known to differ: its controls against add.

    Exit code 1 if a control is not resolved on the side where it must be.
    """
    from darbench.cli.tables import left_out, sensitivity_table
    from darbench.commands.sensitivity import SPACE, design, sensitivity

    if dry_run:
        _preview(SPACE, design(task, overrides or []), out, as_json)
        return
    command = ["darbench", "sensitivity", "--task", task, *(overrides or [])]
    with _sweeping(command, out, workers, device, quiet=as_json) as run:
        found = sensitivity(task, overrides or [], run)
    if as_json:
        print(json.dumps({"resolved": found.resolved, **asdict(found)}, default=str))
    else:
        if found.measured:
            _print_rich(sensitivity_table(found))
        print(left_out({control.name: control.unpaired for control in found.controls}), end="")
        *before, last = found.outcomes
        print(
            *map(_counts, before), _closing(last, _again(command, out, workers, device)), sep="\n"
        )
    _exit(found.interrupted, failed=not found.resolved)


@app.command("noise-floor", epilog="Example:  darbench noise-floor --task digits-nano")
def noise_floor(
    task: Annotated[str, typer.Option(help="A name of `darbench list tasks`.")],
    overrides: Overrides = None,
    out: Out = RESULTS,
    workers: Workers = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """How much of a difference on the task is chance, and how much of that pairs share."""
    from darbench.cli.tables import left_out, noise_table
    from darbench.commands.noise_floor import SPACE, design, noise_floor

    if dry_run:
        _preview(SPACE, [design(task, overrides or [])], out, as_json)
        return
    command = ["darbench", "noise-floor", "--task", task, *(overrides or [])]
    with _sweeping(command, out, workers, device, quiet=as_json) as run:
        found = noise_floor(task, overrides or [], run)
    if as_json:
        print(json.dumps(asdict(found), default=str))
    else:
        if found.measured:
            _print_rich(noise_table(found))
        print(left_out(found.unpaired), end="")
        print(_closing(found.outcome, _again(command, out, workers, device)))
    _exit(found.outcome.interrupted, failed=found.outcome.failed > 0)


@app.command(epilog="Example:  darbench plan --task digits-nano --effect 2%")
def plan(
    effect: Annotated[str, typer.Option(help="Relative change to be seen, such as 2% or 0.02.")],
    task: Annotated[str, typer.Option(help="A name of `darbench list tasks`.")] = "digits-nano",
    overrides: Overrides = None,
    metric: Annotated[str, typer.Option(help=RANK_METRIC)] = "",
    variants: Annotated[int, typer.Option(min=1, help="Compared with add, each.")] = 1,
    out: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Seeds and hours that an effect needs, from the measured noise of the task."""
    from darbench.cli.tables import plan_text
    from darbench.commands.plan import fraction, plan

    found = plan(
        task, fraction(effect), overrides or [], metric=metric, variants=variants, out=out
    )
    print(json.dumps(asdict(found)) if as_json else plan_text(found))


@app.command(epilog="Example:  darbench board --space dar_variants")
def board(
    space: Annotated[str, typer.Option(help="Name of a sweep under OUT.")],
    out: Out = RESULTS,
    as_json: Json = False,
) -> None:
    """Rebuild results.parquet and the leaderboard page from the ledger."""
    from darbench.board.build import build

    if Path(space).name != space:
        raise BadInput(f"--space {space}: the name of a folder in {out}, not a path")
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


def _load(files: list[Path] | None) -> list[str]:
    """Run the files the user names; the routings they register."""
    if not files:
        return []
    from darbench.registry.files import load_file

    return [name for file in files for name in load_file(file)]


@contextmanager
def _sweeping(
    command: list[str], out: Path, workers: int | None, device: str, *, quiet: bool
) -> Iterator[Callable[..., Any]]:
    """`sweep` with a listener, lacking only what is swept; the command is shown on the board."""
    from darbench.cli.terminal import listening
    from darbench.search.sweep import sweep

    with listening(quiet=quiet) as listener:
        yield partial(
            sweep,
            out=out,
            workers=workers,
            device=device,
            command=shlex.join(command),
            listener=listener,
        )


def _again(command: list[str], out: Path, workers: int | None, device: str) -> str:
    """The command that goes on where this one ended."""
    again = command_line(command, out)
    again += f" --workers {workers}" if workers is not None else ""
    return again + (f" --device {device}" if device != "auto" else "")


def _exit(interrupted: bool, *, failed: bool) -> None:
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _check_line(result: dict[str, Any]) -> str:
    mark = "ok  " if result["passed"] else "FAIL"
    line = f"{mark} {result['name']}: {result['claim']} ({result['seconds']:.1f} s)"
    if result["passed"]:
        return line
    return line + "\n     " + result["message"].replace("\n", "\n     ")


def _finding_lines(finding: Any) -> str:
    line = f"{finding.state:9}{finding.what:12}{finding.says}"
    return f"{line}\n{'':21}fix: {finding.fix}" if finding.fix else line


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column, value in rows[0].items():
        right = "right" if isinstance(value, (int, float)) else "left"
        named = column == "name"
        table.add_column(column, style="bold" if named else "", justify=right, no_wrap=named)
    for row in rows:
        table.add_row(*(Text(_cell(column, value)) for column, value in row.items()))
    _print_rich(table)


def _print_rich(table: Any) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a file has no edge to wrap a row at
        console.width = 500
    console.print(table)


def _cell(column: str, value: Any) -> str:
    if column.startswith("FLOPs"):
        return f"{value:+.2%}"
    if column.endswith("FLOPs"):
        return f"{value:.2e}"
    if column == "hours":
        return "; ".join(f"{hours:,.3g} on {where}" for where, hours in value.items())
    if isinstance(value, dict):
        return ", ".join(_parameter(key, **facts) for key, facts in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _parameter(key: str, default: Any, values: list[Any] | str) -> str:
    others = "|".join(map(str, values)) if isinstance(values, list) else values
    return f"{key}={default} ({others})"


def _checkpoint_line(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"{row['status']} at step {row['step']}: {row['error']}"
    line = f"step {row['step']:>6}  {row['train_flops']:.2e} FLOP  val_loss {row['val_loss']:.4f}"
    if row["fd"] is not None:
        line += f"  {METRICS['fd'].title_in(row['extractor'])} {row['fd']:.2f}"
    return line


def _preview(space: Path, given: Iterable[list[str]], out: Path, as_json: bool) -> None:
    """What the sweeps of a space with each of these overrides would run."""
    from darbench.search.sweep import preview

    plans = [preview(str(space), overrides, out=out) for overrides in given]
    print(json.dumps(plans) if as_json else "\n".join(map(_plan_lines, plans)))


def _plan_lines(plan: dict[str, Any]) -> str:
    last = (
        f"{plan['total']} trials ({plan['sampler']}, seeds {plan['seeds']}), "
        f"{plan['finished']} finished already, budget {plan['steps']} add steps each; nothing ran"
    )
    return "\n".join([*plan["configurations"], last])


def _counts(outcome: Any) -> str:
    minutes, seconds = divmod(round(outcome.seconds), 60)
    return (
        f"{outcome.total} trials: {outcome.done} done, {outcome.failed} failed, "
        f"{outcome.skipped} finished earlier, in {minutes} min {seconds} s"
    )


def _closing(outcome: Any, command: str) -> str:
    lines = [_counts(outcome)]
    if outcome.interrupted:
        lines.append(f"interrupted with {outcome.left} trials left; go on with: {command}")
    lines.append(f"leaderboard: {outcome.board}")
    if outcome.failed and not outcome.interrupted:
        lines.append(
            "next: the board lists the failures; what crashed or ran out of time or memory is "
            f"tried again by: {command}"
        )
    elif not outcome.interrupted:
        lines.append(f"next: open it in a browser; results as a table: {outcome.results}")
    return "\n".join(lines)
