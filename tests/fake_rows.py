"""Rows of sweeps that never ran: exact power laws, so that every number of a board is known."""

from darbench.records.schema import make_row
from darbench.records.settings import Evaluation, Model, Task, Training
from darbench.records.trial import Report, Trial, Variant

BUDGET = 4e12  # training FLOPs
STEPS = 400
# What a column of that kind holds.
PYTHON_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "floats": list}


def make_trial(
    routing: str = "add",
    pair_id: int = 0,
    *,
    label: str = "",
    params: dict | None = None,
    code: str = "c0",
    split: str = "confirm",
    lr: float = 6e-3,
    depth: int = 2,
    extractor: str = "digits-cnn",
    rank_by: str = "val_loss",
    data: str = "digits",
    evaluation: Evaluation | None = None,
) -> Trial:
    return Trial(
        task=Task(name="toy", data=data, extractor=extractor, rank_by=rank_by),
        model=Model(depth=depth, width=8, heads=2),
        training=Training(steps=STEPS, lr=lr),
        evaluation=evaluation or Evaluation(),
        variant=Variant(routing=routing, params=params or {}, label=label),
        pair_id=pair_id,
        split=split,
        code_hash=code,
    )


def trial_rows(
    trial: Trial,
    *,
    level: float = 1.0,
    cost: float = 1.0,
    budget: float = BUDGET,
    created: str = "2031-05-01T10:00:00",
    until: float = 1.0,
    attempt: int = 1,
    **environment,
) -> list[dict]:
    """val_loss = level * (flops / budget) ** -0.1 and fd = 20 * level * (flops / budget) ** -0.5.

    A step costs `cost` times a step of add; checkpoint k is the first step that reaches it.
    """
    machine = {
        "device": "cpu",
        "hw_class": "toy-cpu",
        "threads": 1,
        "python": "3.12.0",
        "torch": "2.14.1",
        "darbench_version": "0.1.0",
        "git_sha": "0123abcd",
        "git_dirty": False,
        "created_utc": created,
    } | environment
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
        final = mark == 1.0
        if mark <= until:
            report = Report(step=step, final=final, measured=measured)
            rows.append(make_row(trial, report, machine, leaderboard="toy", attempt=attempt))
    return rows


def failed_row(trial: Trial, status: str, error: str, *, step: int = 0, attempt: int = 1) -> dict:
    report = Report(step=step, final=True, measured={})
    environment = {"created_utc": "2031-05-01T11:00:00", "status": status, "error": error}
    return make_row(trial, report, environment, leaderboard="toy", attempt=attempt)


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

    Keywords of make_trial and trial_rows pass through.
    """
    names = ("label", "params", "code", "split", "lr", "depth", "extractor", "data", "evaluation")
    of_trial = {k: keywords.pop(k) for k in names if k in keywords}
    rows = []
    for pair in pairs:
        level = seed_level(pair) * ratio * (1 + wobble * (pair - 1))
        rows += trial_rows(make_trial(routing, pair, **of_trial), level=level, **keywords)
    return rows
