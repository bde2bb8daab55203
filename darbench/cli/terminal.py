"""The progress of a sweep or a count: a bar on a terminal, otherwise a line per event."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.live import Live
from rich.progress import Progress as Bar
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from darbench.search.progress import Listener, Progress

STATUS_ONLY = ("started:", "step ")  # events that are not kept in the scrollback


@contextmanager
def listening(*, quiet: bool) -> Iterator[Listener]:
    """Yield a listener for `darbench.search.sweep`; quiet prints nothing."""
    console = Console(stderr=quiet)
    if quiet:
        yield lambda progress: None
    elif not console.is_terminal:
        yield _print
    else:
        with Live(console=console, refresh_per_second=4, transient=True) as live:

            def listen(progress: Progress) -> None:
                if not progress.event.startswith(STATUS_ONLY):
                    console.print(progress.event, highlight=False, markup=False)
                live.update(_status(progress))

            yield listen


@contextmanager
def counting(what: str, *, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Yield a listener for a count: it takes (done, in all, event or an empty text)."""
    console = Console(stderr=quiet)
    if quiet:
        yield lambda done, total, event: None
    elif not console.is_terminal:
        yield lambda done, total, event: _say(f"[{done}/{total}] {event}") if event else None
    else:
        with Bar(console=console, transient=True) as bar:
            task = bar.add_task(what, visible=False)

            def listen(done: int, total: int, event: str) -> None:
                if event:
                    console.print(event, highlight=False, markup=False)
                bar.update(task, completed=done, total=total, visible=True)

            yield listen


def _print(progress: Progress) -> None:
    _say(f"[{_count(progress)}] {progress.event}")


def _say(line: str) -> None:
    with suppress(BrokenPipeError):  # the reader closed the pipe; the work goes on
        print(line, flush=True)


def _status(progress: Progress) -> Table:
    ended = progress.total - progress.left
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        ProgressBar(total=max(1, progress.total), completed=ended, width=30),
        f"{_count(progress)}, {progress.running} running{_time(progress)}",
    )
    # A label may hold brackets, which are no markup in Text.
    if progress.best:
        name, metric, value = progress.best
        grid.add_row("best so far", Text(f"{name}: {metric} {value:.4f}"))
    grid.add_row("latest", Text(progress.event))
    return grid


def _count(progress: Progress) -> str:
    failed = f", {progress.failed} failed" if progress.failed else ""
    pruned = f", {progress.pruned} pruned" if progress.pruned else ""
    return f"{progress.total - progress.left}/{progress.total}{pruned}{failed}"


def _time(progress: Progress) -> str:
    if progress.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f", about {minutes}:{seconds:02d} left"
