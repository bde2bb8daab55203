"""The texts of `darbench diagnose`: of one model, and of all that a sweep kept."""

from collections.abc import Sequence

from darbench.cli.tables import NO_VALUE, table_of
from darbench.cli.texts import render
from darbench.commands.diagnose import Diagnosed

DIAGNOSED = {  # what the seven numbers of a diagnosis are called for people
    "fwd_rms_ratio": "RMS of z after the last block over that after the first",
    "grad_decay_ratio": "RMS of the loss's gradient by the last block's outputs over the first's",
    "block_cosine": "cosine of what neighbouring blocks hand on",
    "routing_entropy": "entropy of a read's shares of its sources, in nat",
    "lookback_mean": "mean look-back of a read, in sublayers",
    "t_sensitivity": "total variation of a read's shares from noise to data",
    "probe_r2": "R2 of the time, read linearly from what a block hands on",
}


def diagnosed_text(made: Diagnosed) -> str:
    lines = [f"{made.weights.name}: {made.weights.label}", *made.notes]
    lines += [f"{value:9.3g}  {DIAGNOSED[name]}" for name, value in made.columns.items()]
    lines.append(f"all of it, over depth and time: {made.table}")
    return "\n".join([*lines, f"its pictures: {made.report}"])


def diagnoses_text(made: Sequence[Diagnosed]) -> str:
    """A row for each model, and what the columns mean."""
    shown = table_of("variant", "seed", *DIAGNOSED)
    for each in made:
        numbers = (NO_VALUE if x != x else f"{x:.3g}" for x in each.columns.values())
        shown.add_row(each.weights.label, str(each.weights.trial.pair_id), *numbers)
    notes = (f"{each.weights.name}: {note}" for each in made for note in each.notes)
    meaning = (f"{name}: {text}" for name, text in DIAGNOSED.items())
    where = f"over depth and time: {made[0].table}"
    pictures = f"pictures: {made[0].report}; `darbench board` puts them on the leaderboard's page"
    return "\n".join([render(shown), *notes, *meaning, where, pictures])
