"""The costs of a trial: training FLOPs, and the memory that steps and evaluation need."""

from functools import partial

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from darbench.data import Dataset, Kind
from darbench.flow.transport import Objective
from darbench.metrics.cost.flops import step_flops
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.scores.neighbours import block_bytes
from darbench.model.outline import Outline
from darbench.model.sit import SiT
from darbench.records.settings import SDE_SAMPLERS, Evaluation, Model
from darbench.records.trial import Trial
from darbench.trial.build import build_model
from darbench.trial.recipe import make_objective

BYTES_A_PARAMETER = 20  # float32: weight, gradient, AdamW's two moments, EMA


def add_model(trial: Trial, data: Dataset | Kind) -> SiT:
    return build_model("add", {}, trial.model, data, seed=0)


def training_flops(
    trial: Trial, data: Dataset | Kind, objective: Objective
) -> tuple[float, float]:
    """Return the training FLOPs of a step of the trial, and of plain `add` under the same recipe.

    Nothing is allocated. The objective's overhead is the same for both.
    """
    batch, shape, own = trial.training.batch, data.shape, trial.variant
    overhead = objective.step_flops(batch, shape)

    def flops(routing: str, params: dict, model: Model) -> float:
        build = partial(build_model, routing, params, model, data, trial.pair_id)
        return step_flops(build, batch, shape) + overhead

    return flops(own.routing, dict(own.params), trial.model), flops("add", {}, trial.model.plain)


def add_step_flops(trial: Trial, data: Dataset | Kind) -> float:
    """Return the training FLOPs of a step of plain `add` in the trial's recipe, the budget's unit.

    Nothing is allocated.
    """
    with torch.device("meta"):
        model = build_model("add", {}, trial.model.plain, data, seed=0)
    objective = make_objective(trial.training, model, seed=0)
    batch, shape = trial.training.batch, data.shape
    return step_flops(lambda: model, batch, shape) + objective.step_flops(batch, shape)


def forward_flops(trial: Trial, data: Dataset | Kind) -> float:
    """Return the FLOPs of a forward pass of `add` over one item; nothing is allocated."""
    with torch.device("meta"), Outline() as outline:
        model = add_model(trial, data)
        model(torch.empty(1, *data.shape), torch.empty(1), torch.zeros(1, dtype=torch.long))
    return float(outline.flops)


def sampling_flops(trial: Trial, data: Dataset | Kind) -> float | None:
    """Return the FLOPs of all samples of a trial of `add`; None for an adaptive sampler."""
    e = trial.evaluation
    if e.sampler == "adaptive":
        return None
    times = sum(fraction >= e.fd_from for fraction in trial.training.checkpoints)
    velocities = evaluations(e) * (1 if e.guidance == 1 else 2)
    return times * e.n_gen * velocities * forward_flops(trial, data)


def evaluations(e: Evaluation) -> int:
    """Return how often a sampler with fixed steps evaluates the velocity (NFE)."""
    each = 1 if e.sampler in ("euler", "euler_maruyama") else 2
    # A last step of an SDE sampler takes one evaluation.
    last = int(e.sampler in SDE_SAMPLERS and e.sde.last_step != "none")
    return each * (e.sampler_steps - last) + last


def step_bytes(trial: Trial, data: Dataset | Kind) -> int:
    """Return the least memory that a training step of `add` needs.

    It counts parameters with their gradients and averages, and the tensors that are saved for the
    backward pass, without temporary ones and an encoder's. On the CPU a real step of SiT-S/2
    peaked at 1.2 (bfloat16) to 1.4 (float32) times this.
    """
    parameters, one = _kept(trial, data, batch=1)
    each = _kept(trial, data, batch=2)[1] - one
    batch = min(trial.training.batch, trial.training.micro_batch or trial.training.batch)
    return BYTES_A_PARAMETER * parameters + one + (batch - 1) * each


def evaluation_bytes(trial: Trial, data: Dataset | Kind) -> int:
    """Return the least memory of the host that evaluation needs, on any device.

    All pictures are scored at once. The model's memory is left out; scoring alone peaked at 1.07
    (large pictures) to 2.3 times this (small ones with many features).
    """
    extractor = extractor_kind(trial.task.extractor)
    features = sum(extractor.widths.values())  # numbers per picture, in all layers
    n, real, picture = trial.evaluation.n_gen, data.n_references, data.picture_bytes
    held = picture * (2 * real + data.n_val)  # references as they are, and sorted
    making = held + picture * data.n_val + (4 + 8) * features * real  # from float32 to float64
    copies = 3 if trial.evaluation.redraws else 2  # generated, sorted, and generated again
    scoring = (
        held
        + 8 * extractor.features * real
        + copies * picture * n
        + 8 * features * n
        + block_bytes(n, real, picture)
    )
    return max(making, scoring)


def _kept(trial: Trial, data: Dataset | Kind, batch: int) -> tuple[int, int]:
    """Return the number of parameters, and the bytes saved for the backward pass of a batch.

    The bytes do not include the parameters. Autograd saves tensors without memory of their own.
    """
    half = trial.training.precision == "bfloat16"
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage()._cdata] = x.untyped_storage()
        return x

    with FakeTensorMode(allow_non_fake_inputs=True):
        model = add_model(trial, data)
        x, t = torch.empty(batch, *data.shape), torch.empty(batch)
        label = torch.zeros(batch, dtype=torch.long)
        watching = torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x)
        with watching, torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model(x, t, label).square().mean()
        own = {p.untyped_storage()._cdata for p in model.parameters()}
        count = sum(p.numel() for p in model.parameters())
        del loss
    return count, sum(s.nbytes() for key, s in kept.items() if key not in own)
