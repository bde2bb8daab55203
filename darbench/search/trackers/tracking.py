"""Trackers beside a sweep: a thread shows them each row that anyone adds to the ledger."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from darbench.errors import BadInput, Missing, unknown
from darbench.search.trackers.tracker import Tracker
from darbench.store.tail import Tail

LOOK_S = 1.0  # between two looks at the ledger
END_S = 60.0  # in which trackers must have sent what is left

# Module, class and package of each, imported only for a sweep that names it.
TRACKERS = {
    "tensorboard": ("tensorboard", "TensorBoard", "tensorboardX"),
    "wandb": ("weights_and_biases", "WeightsAndBiases", "wandb"),
}


def need_known(names: Collection[str]) -> None:
    """Raise BadInput for the name of no tracker."""
    for name in names:
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)


@contextmanager
def tracking(names: Collection[str], folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Show the rows that a leaderboard in the folder gets meanwhile to the trackers.

    Missing if the package of one is not installed. A tracker that fails later is left in a line.
    """
    if not names:
        yield
        return
    feed = _Feed({name: _tracker(name, folder) for name in names}, folder, say)
    thread = threading.Thread(target=feed.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        feed.over.set()
        thread.join(END_S)
        if thread.is_alive():
            say(f"trackers: {', '.join(feed.trackers)} took longer than {END_S:g} s to end")


def _tracker(name: str, folder: Path) -> Tracker:
    module, made, package = TRACKERS[name]
    try:
        return getattr(import_module(f"darbench.search.trackers.{module}"), made)(folder)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise Missing(
            f"trackers: {name} needs {package}, which is not installed: pip install "
            f"'darbench[{name}]', or leave it out"
        ) from None


class _Feed:
    """What the thread does: it looks at the ledger now and then, and once more at the end."""

    def __init__(self, trackers: dict[str, Tracker], folder: Path, say: Callable[[str], None]):
        self.trackers, self.over = trackers, threading.Event()
        self._say, self._tail = say, Tail(folder / "ledger")
        for _ in self._tail.rows():  # of before
            pass

    def run(self) -> None:
        with suppress(BadInput, OSError):  # by which the driver, too, is told of a broken ledger
            while not self.over.wait(LOOK_S):
                self._look()
            self._look()
        for name in [*self.trackers]:
            self._safely(name, self.trackers[name].close)

    def _look(self) -> None:
        for row in self._tail.rows():
            for name in [*self.trackers]:
                self._safely(name, lambda tracker=self.trackers[name], row=row: tracker.show(row))

    def _safely(self, name: str, do: Callable[[], None]) -> None:
        """Do it; a tracker that fails is shown no more."""
        try:
            do()
        except Exception as error:
            del self.trackers[name]
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._say(f"trackers: {name} is shown no more rows: {first}")
