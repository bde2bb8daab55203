"""The weights of a trial while they learn: model, objective, optimizer, running average."""

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from darbench.data import Dataset
from darbench.errors import BadInput
from darbench.model.sit import SiT
from darbench.records.settings import Training
from darbench.records.trial import Trial
from darbench.state.buffers import APART, KEEP, buffers, copied, put, reshaped, restore, shared
from darbench.trial.build import build_model, start_trunk
from darbench.trial.cost import training_flops
from darbench.trial.rate import rate_factor
from darbench.trial.recipe import make_objective

BETAS = (0.9, 0.999)


class Learner:
    """A model in training, and the running average of its weights (EMA), which is evaluated."""

    def __init__(self, trial: Trial, dataset: Dataset, device: str):
        training, seed = trial.training, trial.pair_id
        routing, params = trial.variant.routing, dict(trial.variant.params)
        self.training, self.device = training, device
        self.model = build_model(routing, params, trial.model, dataset, seed)
        start_trunk(self.model, training)
        self.model.to(device)
        demand_own_memory(self.model)
        self.objective = make_objective(training, self.model, seed).to(device)
        self.optimizer = make_optimizer(self.model, training, self.objective.parameters())
        self.flops, self.add_flops = training_flops(trial, dataset, self.objective)  # of one step
        self.schedule = LambdaLR(self.optimizer, self._rate_factor)
        self.ema = copy.deepcopy(self.model).requires_grad_(False).eval()
        # A walk over all modules at every step would take longer than the average of these.
        self.weights, self.averages = [*self.model.parameters()], [*self.ema.parameters()]

    def step(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Make one step on a batch (x1, label, x0, t), and return the mean loss before it."""
        micro = self.training.micro_batch or len(batch[0])
        self.optimizer.zero_grad()
        here = (a.to(self.device, non_blocking=True) for a in batch)
        parts = zip(*(a.split(micro) for a in here), strict=True)
        loss = sum(self._backward(*part) for part in parts)
        self.optimizer.step()
        self.schedule.step()
        update_ema(self.averages, self.weights, self.training.ema)
        return loss

    @torch.no_grad()
    def evaluated(self) -> SiT:
        """Return the running average with the buffers of the model in training.

        A buffer is no weight: a running mean is an average already, and a count has none.
        """
        demand_same_form(buffers(self.ema), self.model)
        put(self.ema, copied(self.model))
        return self.ema

    def grad_norm(self) -> float:
        """Return the norm of the last step's gradient by all parameters but the routing's."""
        owned = {id(p) for p in self.model.routing.parameters()}
        grads = [p.grad for p in self.weights if p.grad is not None and id(p) not in owned]
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads))))

    def snapshot(self) -> SiT:
        """Return a copy of the model in training, as it would be evaluated now."""
        return copy.deepcopy(self.model).requires_grad_(False).eval()

    @torch.no_grad()
    def rehearse(self, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the losses that a step on a batch would find, of as many as pass at once.

        Weights and buffers are as they were afterwards. BadInput if buffers are of a whole batch,
        and it comes in parts.
        """
        kept, content = buffers(self.model), copied(self.model)
        part = (a[: self.training.micro_batch].to(self.device) for a in batch)
        with self._autocast():
            losses = self.objective(self.model, *part)
        self._demand_kept(content)
        put(self.model, kept)
        restore(kept, content)
        return losses

    def _demand_kept(self, first: dict[str, Tensor]) -> None:
        """BadInput for buffers that a pass has made what no buffer may be."""
        demand_same_form(first, self.model)
        demand_own_memory(self.model)
        if self.in_parts:
            for name, buffer in buffers(self.model).items():
                if not torch.equal(buffer, first[name]):
                    raise in_parts(self.training, f"training changes the buffer {name}")

    def demand_apart(self, batch: tuple[Tensor, ...]) -> None:
        """BadInput if the average reads weights of the model in training: its own learn nothing.

        A function that refers to `self` is not copied, so that of the average refers to the model.
        """
        _, label, x0, t = (a[:1].to(self.device) for a in batch)
        with torch.enable_grad(), self._autocast():
            found = self.ema(x0, t, label)
        if found.requires_grad:
            raise BadInput(
                "the copy of the model that is evaluated reads weights of the one in training: "
                "hold no function or hook that refers to self, use a method"
            )

    @property
    def in_parts(self) -> bool:
        return (self.training.micro_batch or self.training.batch) < self.training.batch

    def _autocast(self) -> torch.autocast:
        half = self.training.precision == "bfloat16"
        return torch.autocast(self.device, torch.bfloat16, enabled=half)

    def _rate_factor(self, step: int) -> float:
        return rate_factor(self.training, step, self.flops, self.add_flops)

    def _backward(self, x1: Tensor, label: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        """Add the gradient of a part of the batch, and return its part of the loss."""
        with self._autocast():
            mean = self.objective(self.model, x1, label, x0, t).mean()
        loss = mean * (len(x1) / self.training.batch)
        loss.backward()
        return loss.detach()


def in_parts(training: Training, why: str) -> BadInput:
    """Return the error for a batch in parts, which is then another step than the whole one."""
    return BadInput(
        f"training.micro_batch={training.micro_batch}: {why}, which a batch in parts does "
        "otherwise than a whole one; leave it out"
    )


def demand_same_form(first: dict[str, Tensor], model: nn.Module) -> None:
    """BadInput if training has changed which buffers there are, their shapes or dtypes."""
    if what := reshaped(first, buffers(model)):
        raise BadInput(f"training changes {what}; {KEEP}")


def demand_own_memory(model: nn.Module) -> None:
    """BadInput if a buffer is a parameter, of which the evaluated model has the average."""
    if what := shared(model):
        raise BadInput(f"{what}; {APART}")


def make_optimizer(
    model: SiT, training: Training, others: Iterable[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """Return AdamW with the groups that the routing declares, and one for all else that learns.

    That is the trunk, and `others`, which learn with the model but are not part of it.
    """
    owned = {id(p) for p in model.routing.parameters()}
    learnt = [p for p in (*model.parameters(), *others) if p.requires_grad]
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
def update_ema(averages: Sequence[Tensor], weights: Sequence[Tensor], decay: float) -> None:
    """Set average += (1 - decay) (weight - average), for all parameters, routing included."""
    torch._foreach_lerp_(averages, weights, 1 - decay)
