"""One trial: train, and report at a fixed schedule in training FLOPs. Knows no Ray, no Optuna."""

import copy
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from darbench.data import Dataset
from darbench.data import load as load_dataset
from darbench.flow.transport import Objective
from darbench.metrics.cost.flops import step_flops
from darbench.metrics.cost.usage import StepTimer, peak_memory, percentiles, reset_peak_memory
from darbench.metrics.scores.reference import Reference, reference
from darbench.model.sit import SiT
from darbench.randomness import stream
from darbench.records.settings import Training
from darbench.records.trial import Report, Trial
from darbench.trial.audit import Audit
from darbench.trial.build import build_model
from darbench.trial.evaluate import Evaluator
from darbench.trial.generate import Samples
from darbench.trial.recipe import make_objective
from darbench.trial.schedule import checkpoint_steps, step_at

BETAS = (0.9, 0.999)


def train(trial: Trial, device: str = "cpu") -> Iterator[Report]:
    """Train the trial and yield a Report at every checkpoint, the last one with final=True.

    A loss that is not finite ends the trial with a report of status diverged.
    """
    run = Run.begin(trial, device)
    for step in range(1, run.checkpoints[-1] + 1):
        run.step(step)
        if step in run.checkpoints:
            report = run.report(step)
            yield report
            if report.final:
                return


def reference_of(trial: Trial, dataset: Dataset) -> Reference:
    """What the trial's samples are scored against."""
    return reference(
        trial.task.extractor,
        dataset.reference_images,
        dataset.val_images,
        dataset.reference_labels,
    )


@dataclass
class Batches:
    """Training batches, each a function of (seed, step) alone."""

    dataset: Dataset
    batch: int
    label_dropout: float
    seed: int

    def __call__(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """x1 (B, C, H, W), label (B,), x0 (B, C, H, W), t (B,) of this step, counted from 1."""
        x1, label = self.dataset.train(
            self.seed, range((step - 1) * self.batch, step * self.batch)
        )
        noise = stream(self.seed, "noise", step)
        x0 = torch.from_numpy(noise.standard_normal(tuple(x1.shape), dtype=np.float32))
        t = torch.from_numpy(noise.random(self.batch, dtype=np.float32))
        dropped = torch.from_numpy(noise.random(self.batch) < self.label_dropout)
        return x1, torch.where(dropped, self.dataset.classes, label), x0, t


@dataclass
class Run:
    """A trial under way."""

    trial: Trial
    device: str
    evaluator: Evaluator
    model: SiT
    ema: SiT
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    batches: Batches
    timer: StepTimer
    flops: float  # of a training step
    add_flops: float  # of a training step of add
    checkpoints: list[int]

    def __post_init__(self):
        self.losses: list[Tensor] = []
        self.step_ms: list[float] = []
        self.train_seconds = self.eval_seconds = 0.0
        self.audit = Audit(self.model)

    @classmethod
    def begin(cls, trial: Trial, device: str) -> "Run":
        reset_peak_memory(device)
        dataset = load_dataset(trial.task.data, trial.task.data_path)
        build = partial(build_model, model=trial.model, dataset=dataset, seed=trial.pair_id)
        cost = partial(step_flops, batch=trial.training.batch, shape=dataset.shape)
        make = partial(build, trial.variant.routing, dict(trial.variant.params))
        model = make().to(device)
        objective = make_objective(trial.training, model, trial.pair_id).to(device)
        beyond = objective.step_flops(trial.training.batch, dataset.shape)
        flops, add_flops = cost(make) + beyond, cost(partial(build, "add", {})) + beyond
        optimizer = make_optimizer(model, trial.training, objective.parameters())
        warmup = trial.training.warmup
        return cls(
            trial=trial,
            device=device,
            evaluator=Evaluator(
                evaluation=trial.evaluation,
                dataset=dataset,
                pair_id=trial.pair_id,
                transport=objective.transport,
                device=device,
                reference=reference_of(trial, dataset),
            ),
            model=model,
            ema=copy.deepcopy(model).requires_grad_(False).eval(),
            objective=objective,
            optimizer=optimizer,
            schedule=torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: min(1.0, (step + 1) / (warmup + 1))
            ),
            batches=Batches(
                dataset, trial.training.batch, trial.training.label_dropout, trial.pair_id
            ),
            timer=StepTimer(device),
            flops=flops,
            add_flops=add_flops,
            checkpoints=checkpoint_steps(trial.training, flops, add_flops),
        )

    def step(self, step: int) -> None:
        if not self.losses:
            self.timer.mark()
        batch = self.batches(step)
        self.audit.add(step, *batch)
        micro = self.trial.training.micro_batch or len(batch[0])
        self.optimizer.zero_grad()
        here = (a.to(self.device, non_blocking=True) for a in batch)
        parts = zip(*(a.split(micro) for a in here), strict=True)
        loss = sum(self._backward(*part) for part in parts)
        self.optimizer.step()
        self.schedule.step()
        update_ema(self.ema, self.model, self.trial.training.ema)
        self.losses.append(loss)
        self.timer.mark()

    def _backward(self, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        """Add the gradient of a part of the batch; returns the part of the loss."""
        half = self.trial.training.precision == "bfloat16"
        with torch.autocast(self.device, torch.bfloat16, enabled=half):
            mean = self.objective(self.model, x1, label, x0, t).mean()
        loss = mean * (len(x1) / self.trial.training.batch)
        loss.backward()
        return loss.detach()

    def report(self, step: int) -> Report:
        """Evaluate the EMA weights; the clock of training stands still meanwhile, and no clock
        counts the redraws, which other trials do not have."""
        evaluation = self.trial.evaluation
        times = self.timer.restart()
        self.step_ms += times
        self.train_seconds += sum(times) / 1e3
        train_loss = torch.stack(self.losses).double().mean().item()
        self.losses = []
        started = time.perf_counter()
        measured, samples = self._evaluate(step, train_loss)
        self.eval_seconds += time.perf_counter() - started
        final = step == self.checkpoints[-1] or measured["status"] != "ok"
        if final and samples is not None and evaluation.redraws:
            measured |= self.evaluator.redraws(self.ema, measured, samples)
        measured |= self._compute(step) | self.audit.columns
        grid = samples and samples.pictures[: evaluation.grid].copy()  # a view keeps them all
        return Report(step=step, final=final, measured=measured, samples=grid)

    def _evaluate(self, step: int, train_loss: float) -> tuple[dict, Samples | None]:
        evaluation = self.trial.evaluation
        val = self.evaluator.loss(self.ema)
        if not (math.isfinite(train_loss) and math.isfinite(val.total)):
            return {"status": "diverged", "error": f"loss is not finite by step {step}"}, None
        measured = {
            "status": "ok",
            "train_loss": train_loss,
            "val_loss": val.total,
            "val_loss_bins": val.bins,
        }
        if step < step_at(evaluation.fd_from, self.trial.training, self.flops, self.add_flops):
            return measured, None
        samples = self.evaluator.samples(self.ema)
        if samples is None:
            return {"status": "diverged", "error": f"samples are not finite at step {step}"}, None
        if samples.collapsed:
            error = f"samples show nothing at step {step}: all are alike, or of one colour each"
            return {"status": "diverged", "error": error}, None
        measured |= self.evaluator.scores(samples) | {"audit_generation": samples.audit}
        return measured, samples

    def _compute(self, step: int) -> dict:
        parameters = sum(p.numel() for p in self.model.parameters())
        routing = sum(p.numel() for p in self.model.routing.parameters())
        return {
            "samples_seen": step * self.trial.training.batch,
            "train_flops": step * self.flops,
            "budget_flops": self.trial.training.steps * self.add_flops,
            "flops_routing_share": 1 - self.add_flops / self.flops,
            "params_total": parameters,
            "params_routing": routing,
            "train_seconds": self.train_seconds,
            "eval_seconds": self.eval_seconds,
            "peak_mem_bytes": peak_memory(self.device),
            "ref_hash": self.evaluator.reference.ref_hash,
            "data_fingerprint": self.evaluator.dataset.fingerprint,
            **percentiles(self.step_ms),
        }


def make_optimizer(
    model: SiT, training: Training, beside: Iterable[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """AdamW; the routing declares its own groups, the trunk is one, together with the parameters
    that learn `beside` the model."""
    owned = {id(p) for p in model.routing.parameters()}
    learnt = [p for p in (*model.parameters(), *beside) if p.requires_grad]
    trunk = [p for p in learnt if id(p) not in owned]
    groups = [{"params": trunk, "lr_mult": 1.0, "weight_decay": None}]
    groups += model.routing.parameter_groups()
    made = []
    for group in groups:
        decay = group["weight_decay"]
        made.append(
            {
                "params": group["params"],
                "lr": training.lr * group["lr_mult"],
                "weight_decay": training.weight_decay if decay is None else decay,
            }
        )
    counted = sum(p.numel() for group in made for p in group["params"])
    wanted = sum(p.numel() for p in learnt)
    assert counted == wanted, f"parameter groups hold {counted} of {wanted} parameters"
    return torch.optim.AdamW([g for g in made if g["params"]], betas=BETAS, fused=True)


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """ema += (1 - decay) (model - ema), over all parameters, the routing's included."""
    torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 1 - decay)
