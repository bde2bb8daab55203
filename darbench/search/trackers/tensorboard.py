"""TensorBoard: a folder of events for each trial, under tensorboard/ in the leaderboard's folder.

The writer is tensorboardX, which Ray Tune brings; TensorBoard itself is needed to look at them.
"""

from pathlib import Path

from tensorboardX import SummaryWriter

from darbench.search.trackers.tracker import Row, measured, run_id, run_name


class TensorBoard:
    """A tracker that writes the measured numbers of each row as scalars at its step."""

    def __init__(self, folder: Path):
        self._folder = folder / "tensorboard"
        self._writers: dict[str, SummaryWriter] = {}  # of trials that run

    def show(self, row: Row) -> None:
        key = run_id(row)
        if key not in self._writers:
            run = self._folder / f"{run_name(row)}, {key}"
            self._writers[key] = SummaryWriter(str(run), write_to_disk=True)
        writer = self._writers[key]
        for name, value in measured(row):
            writer.add_scalar(name, value, row["step"])
        writer.flush()
        if row["final"]:
            self._writers.pop(key).close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
