"""Training of one trial, with reports at fixed fractions of its budget in FLOPs."""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from darbench.data import load as load_dataset
from darbench.metrics.cost.usage import PeakMemory, StepTimer, percentiles
from darbench.model.sit import SiT
from darbench.records.schema import EARLY
from darbench.records.trial import Report, Trial
from darbench.registry import ROUTINGS
from darbench.state.generators import borrowed
from darbench.store.states import State
from darbench.trial.audit import Audit
from darbench.trial.batches import Batches
from darbench.trial.conduct import Conduct
from darbench.trial.diagnosis import EARLY_SHARE, Diagnosis
from darbench.trial.draws import Draws
from darbench.trial.evaluate import Evaluator
from darbench.trial.generate import Samples
from darbench.trial.keeping import NotKept
from darbench.trial.learner import Learner, in_parts
from darbench.trial.learner_state import learnt_by, restore
from darbench.trial.routing_gradients import RoutingGradients
from darbench.trial.schedule import checkpoint_steps, step_at


def train(
    trial: Trial,
    device: str = "cpu",
    kept: NotKept | None = None,
    stepped: Callable[[int, int], None] = lambda done, steps: None,
) -> Iterator[Report]:
    """Train the trial and yield a Report at every checkpoint, the last one with final=True.

    It begins where `kept` has it, and is saved there as it goes; `stepped` is called with the
    steps done, and those in all. A loss that is not finite ends the trial with a report of status
    diverged. Whoever takes the reports finds the global generators as they were.
    """
    kept = kept or NotKept()
    run = kept.begin(partial(Run, trial, device))
    for checkpoint in run.ahead:
        with borrowed(trial.pair_id, device):
            for step in range(run.done + 1, checkpoint + 1):
                run.step(step)
                kept.stepped(run)
                stepped(step, run.checkpoints[-1])
            kept.reached(run)
            report = run.report(checkpoint)
        yield report
        if report.final:
            return
        kept.reported(run)


class Run:
    """A trial in progress: it learns step by step, and is measured at its checkpoints."""

    def __init__(self, trial: Trial, device: str):
        self.memory = PeakMemory(device)
        training = trial.training
        dataset = load_dataset(trial.task.data, trial.task.data_path)
        self.trial = trial
        self.conduct = Conduct(trial.variant.routing, ROUTINGS.get(trial.variant.routing))
        self.batches = Batches(dataset, training.batch, training.label_dropout, trial.pair_id)
        self.learner = Learner(trial, dataset, device)
        self.conduct.built(self.learner.model.routing)
        self.flops, self.add_flops = self.learner.flops, self.learner.add_flops
        self.checkpoints = checkpoint_steps(training, self.flops, self.add_flops)
        transport = self.learner.objective.transport
        self.evaluator = Evaluator.of(trial, dataset, transport, device)
        self.early = step_at(EARLY_SHARE, training, self.flops, self.add_flops)
        self.diagnosis = Diagnosis(
            dataset=dataset,
            transport=transport,
            device=device,
            samples=training.micro_batch or training.batch,
        )
        self.audit = Audit.begin(self.learner.model)
        self.gradients = RoutingGradients(self.learner.model, self.checkpoints[-1])
        self.draws = Draws(trial.pair_id, device)
        self.timer = StepTimer(device)
        self.step_ms: list[tuple[float, float]] = []  # in all, and own
        self.losses: list[Tensor] = []  # since the last checkpoint
        self.eval_seconds = 0.0
        self.done = self.reported = 0  # steps, and those of the last report
        with borrowed(trial.pair_id, device), self.conduct.drawing():
            self.learner.demand_apart(self.batches(1))
        self._rehearse(1)

    def step(self, step: int) -> None:
        if self.timer.stopped:
            self.timer.mark()
        batch = self.batches(step)
        self.audit.add(step, *batch)
        self.draws.key(step)
        self.losses.append(self.learner.step(batch))
        self.gradients.add(step)
        self.audit.add_draws(self.draws.digest())
        self.timer.mark()
        if step == self.early:
            self._diagnose_early()
        self.done = step

    @property
    def ahead(self) -> list[int]:
        """The checkpoints that are to be reached, or that are not reported yet."""
        return [step for step in self.checkpoints if step > self.reported]

    def tensors(self) -> dict[str, Tensor]:
        self.step_ms += self.timer.restart()
        own = {
            "losses": torch.stack(self.losses),
            "step_ms": torch.tensor(self.step_ms, dtype=torch.double),
        }
        return own | self.gradients.tensors() | learnt_by(self.learner)

    def plain(self) -> dict[str, Any]:
        return {
            "reported": self.reported,
            "eval_seconds": self.eval_seconds,
            "audit": self.audit.state(),
            "gradients": self.gradients.plain(),
            "diagnosis": self.diagnosis.columns,
            "schedule": self.learner.schedule.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Go on as a state has it; ValueError if it is of another beginning."""
        audit = Audit.from_state(state.plain["audit"])
        if audit.columns["audit_init"] != self.audit.columns["audit_init"]:
            raise ValueError("another trunk at the start")
        restore(self.learner, state.tensors, state.plain["schedule"])
        self.gradients.restore(state.tensors, state.plain["gradients"])
        self.diagnosis.columns = dict(state.plain["diagnosis"])
        self.audit, self.eval_seconds = audit, state.plain["eval_seconds"]
        self.done, self.reported = state.step, state.plain["reported"]
        self.step_ms = [*map(tuple, state.tensors["step_ms"].tolist())]
        if self.reported < self.done:
            self.losses = [*state.tensors["losses"].to(self.learner.device)]

    def report(self, step: int) -> Report:
        """Evaluate the EMA weights at a checkpoint.

        Training time does not include it, and evaluation time does not include redraws, which
        other trials do not have.
        """
        evaluation = self.trial.evaluation
        self.step_ms += self.timer.restart()
        train_loss = torch.stack(self.losses).double().mean().item()
        self.losses, self.reported = [], step
        self._rehearse(step)
        started = time.perf_counter()
        model = self.learner.evaluated()
        measured, samples = self._evaluate(model, step, train_loss)
        self.eval_seconds += time.perf_counter() - started
        final = step == self.checkpoints[-1] or measured["status"] != "ok"
        if final and samples is not None and evaluation.redraws:
            measured |= self.evaluator.redraws(model, measured, samples)
        if final and measured["status"] == "ok" and evaluation.diagnose:
            self._diagnose(model)
        self.conduct.ended()
        measured |= self._compute(step) | self.audit.columns | self.gradients.columns
        # A view would keep all pictures.
        grid = samples and samples.pictures[: evaluation.grid].copy()
        weights = self._kept(model, final, measured["status"])
        return Report(step=step, final=final, measured=measured, samples=grid, weights=weights)

    def _diagnose_early(self) -> None:
        if self.trial.evaluation.diagnose:
            self.diagnosis.columns[f"grad_norm{EARLY}"] = self.learner.grad_norm()
            self._diagnose(self.learner.snapshot(), EARLY)

    def _diagnose(self, model: SiT, suffix: str = "") -> None:
        """Neither time nor memory of the training includes it."""
        self.step_ms += self.timer.restart()
        watched = self.conduct.evaluated(model.routing, self.learner.device)
        with watched, self.memory.left_out():
            self.diagnosis.add(model, suffix)

    def _kept(self, model: SiT, final: bool, status: str) -> dict[str, Tensor] | None:
        """The evaluated weights, where they are to be kept: copies, for training goes on."""
        keep = self.trial.training.keep_weights
        if status != "ok" or keep == "none" or (keep == "last" and not final):
            return None
        return {name: x.detach().cpu().clone() for name, x in model.state_dict().items()}

    def _rehearse(self, step: int) -> None:
        """BadInput if a step depends on, or leaves behind, what the evaluated model lacks."""
        learner, losses = self.learner, partial(self.learner.rehearse, self.batches(step))
        self.conduct.trained(learner.model.routing)
        drew = self.conduct.repeatable(losses, self.draws.seed(step), learner.device)
        self.conduct.trained(learner.model.routing)
        if drew and learner.in_parts:
            raise in_parts(self.trial.training, "the routing draws in training")

    def _evaluate(self, model: SiT, step: int, train_loss: float) -> tuple[dict, Samples | None]:
        evaluation = self.trial.evaluation
        with self.conduct.evaluated(model.routing, self.learner.device):
            val, apart = self.evaluator.loss(model), self.evaluator.apart(model)
        if not (math.isfinite(train_loss) and math.isfinite(val.total)):
            return {"status": "diverged", "error": f"loss is not finite by step {step}"}, None
        measured = {
            "status": "ok",
            "train_loss": train_loss,
            "val_loss": val.total,
            "val_loss_bins": val.bins,
            **apart,
        }
        if step < step_at(evaluation.fd_from, self.trial.training, self.flops, self.add_flops):
            return measured, None
        with self.conduct.evaluated(model.routing, self.learner.device):
            samples = self.evaluator.samples(model)
        if samples is None:
            return {"status": "diverged", "error": f"samples are not finite at step {step}"}, None
        if samples.collapsed:
            error = f"samples show nothing at step {step}: all are alike, or of one colour each"
            return {"status": "diverged", "error": error}, None
        measured |= self.evaluator.scores(samples) | {"audit_generation": samples.audit}
        return measured, samples

    def _compute(self, step: int) -> dict:
        parameters = sum(p.numel() for p in self.learner.model.parameters())
        routing = sum(p.numel() for p in self.learner.model.routing.parameters())
        return {
            "samples_seen": step * self.trial.training.batch,
            "train_flops": step * self.flops,
            "budget_flops": self.trial.training.steps * self.add_flops,
            "flops_routing_share": 1 - self.add_flops / self.flops,
            "params_total": parameters,
            "params_routing": routing,
            "train_seconds": sum(wall for wall, _ in self.step_ms) / 1e3,
            "eval_seconds": self.eval_seconds,
            "peak_mem_bytes": self.memory.read(),
            "ref_hash": self.evaluator.reference.ref_hash,
            "data_fingerprint": self.evaluator.dataset.fingerprint,
            **percentiles(self.step_ms),
            **self.diagnosis.columns,
        }
