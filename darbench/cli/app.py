"""The verbs of the command line, with one call each; heavy imports stay inside them."""

import json
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from darbench import __version__
from darbench.cli import options as o
from darbench.command_line import RESULTS, command_line, published
from darbench.errors import BadInput, unknown

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    help="Architecture-search benchmark suite for residual routing in diffusion transformers.",
    epilog="First run:  darbench sweep --space dar_variants --quick",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


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
    load: o.Load = None,
    as_json: o.Json = False,
) -> None:
    """List the routings, search spaces or tasks that there are."""
    from darbench.cli.texts import listing_text
    from darbench.commands.listing import LISTINGS

    if what not in LISTINGS:
        raise unknown("thing to list", what, LISTINGS)
    _load(load)
    rows = LISTINGS[what]()
    _show(rows, lambda: listing_text(rows), as_json, indent=1)


@app.command(epilog="Example:  darbench describe dar")
def describe(
    name: Annotated[str, typer.Argument(help="A routing, search space or task.")],
    load: o.Load = None,
) -> None:
    """Print equations, parameters and paper of a routing, or the card of a space or task."""
    from darbench.commands import describe as command

    _load(load)
    print(command.describe(name))


@app.command(epilog="Example:  darbench doctor cifar10-small task.data_path=cifar-10-batches-bin")
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

    _load(load)
    with counting("shards", quiet=as_json) as listener:
        findings = command.examine(task, overrides or [], out, listener)
    plain = [asdict(finding) for finding in findings]
    _show(plain, lambda: findings_text(findings), as_json, indent=1)
    _exit(failed=any(finding.state == command.MISSING for finding in findings))


@app.command(epilog="Example:  darbench cite dar hyper > papers.bib")
def cite(
    names: Annotated[list[str], typer.Argument(metavar="ROUTING...")], load: o.Load = None
) -> None:
    """Print BibTeX of the papers of routings, of the model (sit) and of alignment (repa)."""
    from darbench.commands import cite as command

    _load(load)
    print(command.cite(names))


@app.command(epilog="Example:  darbench new my_routing")
def new(
    name: Annotated[str, typer.Argument(help="Name of the routing, and of its file.")],
    out: Annotated[Path, typer.Option(help="Folder of the file.")] = Path("."),
) -> None:
    """Write a routing of your own to start from: NAME.py, commented, 20 lines."""
    from darbench.commands import new as command

    path = command.new(name, out)
    print(f"wrote {path}\nnext: darbench check {shlex.quote(str(path))}")


@app.command(epilog="Example:  darbench check my_routing.py")
def check(
    routing: Annotated[str, typer.Argument(help="A routing's name, or a Python file.")],
    overrides: o.Parameters = None,
    as_json: o.Json = False,
) -> None:
    """Check a routing against the contract; say what is wrong with it and how to mend it."""
    from darbench.cli.texts import checks_text
    from darbench.commands.check import conformance

    results = conformance(routing, overrides or [])
    _show(results, lambda: checks_text(results), as_json, indent=1)
    _exit(failed=not all(result["passed"] for result in results))


@app.command(
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
    _show(made.summary(), lambda: prepared_text(made), as_json)


@app.command(epilog="Example:  darbench train --routing dar params.query=dynamic --seed 1")
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

    _load(load)

    def show(row: dict[str, Any]) -> None:
        if not as_json:
            print(checkpoint_line(row), flush=True)

    listeners = {"show": show, "say": partial(print, file=sys.stderr)}
    rows = command.train_one(
        routing, task, overrides or [], seed=seed, out=out, device=device, **listeners
    )
    ok = rows[-1]["status"] == "ok"
    if as_json or ok:
        _show(rows, lambda: trained_text(rows[-1], out), as_json)
    _exit(failed=not ok)


@app.command(epilog="Example:  darbench sweep --space dar_variants 'seeds=[0,1]'")
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

    given = {"overrides": overrides or [], "quick": quick, "own": _load(load)}
    if dry_run:
        preview = sweeps.preview(space, **given, out=out, workers=workers)
        _show(preview, lambda: preview_text(preview), as_json)
        return
    loads = [word for path in load or [] for word in ("--load", str(path))]
    flags = [*loads, *(["--quick"] if quick else [])]
    words = ["darbench", "sweep", "--space", space, *flags, *given["overrides"]]
    where = {"out": out, "workers": workers, "device": device}
    with listening(quiet=as_json) as listener:
        result = sweeps.sweep(space, **given, **where, command=published(words), listener=listener)
    again = command_line(words, **where)
    _show(result.summary(), lambda: closing(result, again), as_json)
    _exit(interrupted=result.interrupted, failed=result.failed > 0)


@app.command(epilog="Example:  darbench worker --space dar_variants --out shared")
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

    given = {"overrides": overrides or [], "quick": quick, "own": _load(load)}
    files = [str(path.resolve()) for path in load or []]
    say = partial(print, file=sys.stderr if as_json else sys.stdout, flush=True)
    made = headless.work(
        space, **given, out=out, device=device, files=files, silent_s=silent, say=say
    )
    _show(asdict(made), lambda: worked_text(made, out), as_json)
    _exit(failed=made.failed > 0)


@app.command(epilog="Example:  darbench sensitivity --task digits-nano")
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


@app.command("noise-floor", epilog="Example:  darbench noise-floor --task digits-nano")
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
    _show(previews, lambda: "\n".join(map(preview_text, previews)), as_json)


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
    _show(result.summary(), lambda: text(result, again), as_json)
    _exit(interrupted=result.interrupted, failed=result.failed)


@app.command(epilog="Example:  darbench plan --task digits-nano --effect 2%")
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
    _show(asdict(made), lambda: plan_text(made), as_json)


@app.command(epilog="Example:  darbench diagnose 0e6bba53680f7e37")
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

    _load(load)
    given = [word for word in (trial, *(overrides or [])) if word]  # TRIAL is for it alone
    if space:
        several = command.weights_of_space(space, given, out)
        with counting("diagnosed", quiet=as_json) as count:
            made = [*command.diagnose_all(several, device, count)]
        _show([each.summary() for each in made], lambda: diagnoses_text(made), as_json)
        return
    if checkpoint is not None:
        weights = command.weights_of_file(checkpoint, routing, task, given, out)
    elif trial:
        weights = command.weights_of_trial(trial, overrides or [], out)
    else:
        raise BadInput("give a TRIAL, --space NAME, or --checkpoint FILE and --routing NAME")
    one = command.diagnose(weights, device)
    _show(one.summary(), lambda: diagnosed_text(one), as_json)


@app.command(epilog="Example:  darbench board --space dar_variants")
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
        return _show(path, lambda: f"{path['index']}\nnext: open it in a browser", as_json)
    paths = command.board(space, out, say=partial(print, file=sys.stderr))
    _show(paths, lambda: f"leaderboard: {paths['board']}\nnext: open it in a browser", as_json)


@app.command(epilog="Example:  darbench status dar_variants")
def status(name: o.Name = "", out: o.Out = RESULTS, as_json: o.Json = False) -> None:
    """Say how sweeps stand, also while they run: trials, workers, failures, disk."""
    from darbench.cli.operation import status_text
    from darbench.commands import status as command

    found = command.status(name, out)
    _show(found, lambda: "\n\n".join(map(status_text, found)), as_json)


@app.command(epilog="Example:  darbench logs 0e6bba53680f7e37 --follow")
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


@app.command(epilog="Example:  darbench merge here/dar_variants there/dar_variants --to all")
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
    _show(made, lambda: merged_text(made, to, out), as_json)
    _exit(failed=bool(made["conflicts"]))


@app.command(epilog="Example:  darbench export dar_variants --to dar_variants.zip")
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
    _show(made, lambda: exported_text(made), as_json)


@app.command("import", epilog="Example:  darbench import dar_variants.zip")
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
    _show(made, lambda: merged_text(made, made["name"], out), as_json)
    _exit(failed=bool(made["conflicts"]))


@app.command(epilog="Example:  darbench clean dar_variants --dry-run")
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
    _show(freed, lambda: cleaned_text(freed), as_json)


def _load(files: list[Path] | None) -> list[str]:
    """Run the user's files, and return the names of the routings that they register."""
    if not files:
        return []
    from darbench.search.files import find_plugin
    from darbench.testing.rehearsal import load_rehearsed

    return [name for file in files for name in load_rehearsed(find_plugin(file))]


def _show(
    plain: Any, text: Callable[[], str], as_json: bool, *, indent: int | None = None
) -> None:
    """Print the result of a verb, as one JSON document or as text for people."""
    print(json.dumps(plain, indent=indent, default=str) if as_json else text())


def _exit(*, interrupted: bool = False, failed: bool) -> None:
    if interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if failed:
        raise typer.Exit(EXIT_FAILED)
