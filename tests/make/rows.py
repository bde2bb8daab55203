"""Rows of trials that never ran: exact power laws, so that every number of a board is known."""

from darbench.records.schema import make_row
from darbench.records.trial import Report, Trial
from tests.make.trials import STEPS, toy_trial

BUDGET = 4e12  # training FLOPs
# What a column of that kind holds.
PYTHON_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "floats": list}
MACHINE = {
    "device": "cpu",
    "hw_class": "toy-cpu",
    "threads": 1,
    "python": "3.12.0",
    "torch": "2.14.1",
    "darbench_version": "0.1.0",
    "git_sha": "0123abcd",
    "git_dirty": False,
}


def row_of(
    trial: Trial,
    *,
    step: int = 1,
    final: bool = True,
    attempt: int = 1,
    created: str = "2031-05-01T10:00:00",
    environment: dict | None = None,
    **measured,
) -> dict:
    """The row of one checkpoint, whose other columns are `measured`."""
    report = Report(step=step, final=final, measured=measured)
    machine = MACHINE | {"created_utc": created} | (environment or {})
    return make_row(trial, report, machine, leaderboard="toy", attempt=attempt)


def last_row(trial: Trial, value: float | None = 0.5, *, status: str = "ok", **keywords) -> dict:
    """The last row of a trial that reached this value of every metric, or failed."""
    error = None if status == "ok" else "made up"
    return row_of(trial, val_loss=value, fd=value, status=status, error=error, **keywords)


def failed_row(trial: Trial, status: str, error: str, **keywords) -> dict:
    created = "2031-05-01T11:00:00"
    return row_of(trial, **{"step": 0, "created": created} | keywords, status=status, error=error)


def trial_rows(
    trial: Trial,
    *,
    level: float = 1.0,
    cost: float = 1.0,
    budget: float = BUDGET,
    until: float = 1.0,
    attempt: int = 1,
    created: str = "2031-05-01T10:00:00",
    **environment,
) -> list[dict]:
    """val_loss = level * (flops / budget) ** -0.1 and fd = 20 * level * (flops / budget) ** -0.5.

    A step costs `cost` times a step of add; checkpoint k is the first step that reaches it.
    """
    rows = []
    per_step = budget / STEPS * cost
    for mark in (0.25, 0.5, 1.0):
        step = -int(-mark * budget * (1 - 1e-12) // per_step)
        flops = step * per_step
        measured = {
            "samples_seen": step * 64,
            "train_flops": flops,
            "budget_flops": budget,
            "flops_routing_share": 1 - 1 / cost,
            "params_total": 1000 + int(100 * (cost - 1)),
            "params_routing": int(100 * (cost - 1)),
            "step_ms_p50": 10.0 * cost,
            "val_loss": level * (flops / budget) ** -0.1,
        }
        if mark >= 0.5:
            measured |= {
                "fd": 20 * level * (flops / budget) ** -0.5,
                "kid": 0.01 * level,
                "precision": 0.7,
                "recall": 0.6,
            }
        when = {"attempt": attempt, "created": created, "environment": environment}
        if mark <= until:
            rows.append(row_of(trial, step=step, final=mark == 1.0, **when, **measured))
    return rows


def seed_level(pair_id: int) -> float:
    """Seeds differ by more than variants do: only pairing can tell the variants apart."""
    return 1.0 + 0.1 * pair_id


def entry_rows(
    routing: str = "add",
    pairs: tuple[int, ...] = (0, 1, 2),
    *,
    ratio: float = 1.0,
    wobble: float = 0.0,
    **keywords,
) -> list[dict]:
    """Rows of a variant that is `ratio` times add on every seed, with a wobble over the seeds.

    Keywords of toy_trial and trial_rows pass through.
    """
    names = ("label", "params", "code", "split", "lr", "schedule", "depth", "model", "objective")
    names += ("extractor", "data", "evaluation")
    of_trial = {k: keywords.pop(k) for k in names if k in keywords}
    rows = []
    for pair in pairs:
        level = seed_level(pair) * ratio * (1 + wobble * (pair - 1))
        rows += trial_rows(toy_trial(routing, pair, **of_trial), level=level, **keywords)
    return rows
