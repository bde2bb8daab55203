"""The card of a task, for `darbench describe`: its facts, computed without its data."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from darbench.data import Kind, kind
from darbench.metrics.extractors.catalogue import extractor_kind
from darbench.metrics.scores.missing import CLASSIFIED, UNCLASSIFIED, fdr_text, is_classified
from darbench.records.metric import METRICS
from darbench.records.settings import SDE_SAMPLERS, Evaluation, Training
from darbench.records.trial import Trial
from darbench.registry import signatures
from darbench.search.compose import compose_trial
from darbench.search.load import build_trial
from darbench.trial.cost import add_model, add_step_flops, evaluations, sampling_flops
from darbench.trial.schedule import checkpoint_steps

WIDTH, INDENT = 99, 13


@dataclass(frozen=True, kw_only=True)
class Card:
    """A task's settings, and facts computed from them."""

    trial: Trial  # a trial of add
    data: Kind
    step_flops: float  # training FLOPs of a step of add

    @classmethod
    def of(cls, name: str) -> "Card":
        trial = build_trial(compose_trial("add", name), signatures())
        data = kind(trial.task.data)
        return cls(trial=trial, data=data, step_flops=add_step_flops(trial, data))

    @property
    def budget(self) -> float:
        return self.trial.training.steps * self.step_flops

    @property
    def sampling(self) -> float | None:
        return sampling_flops(self.trial, self.data)

    def text(self) -> str:
        task = self.trial.task
        rows = {
            "Dataset": self._dataset(),
            "Backbone": self._backbone(),
            "Recipe": self._recipe(),
            "Budget": self._budget(),
            "Checkpoints": self._checkpoints(),
            "Evaluation": self._evaluation(),
            "Expected": [hours_text(task.hours)],
            "--quick": [" ".join(task.quick)],
            "Run": self._commands(),
        }
        head = textwrap.fill(f"{task.name}, version {task.version}: {task.summary}", WIDTH)
        return "\n".join([head, "", *(_row(title, lines) for title, lines in rows.items())])

    def _dataset(self) -> Iterator[str]:
        data = self.data
        shape = " x ".join(map(str, data.shape))
        yield (
            f"{data.name}: {data.classes:,} classes, items of {shape}, {data.n_train:,} to train "
            f"on, {data.n_val:,} held out"
        )
        if data.files:
            yield f"not shipped: read from task.data_path, or where {data.variable} says"

    def _backbone(self) -> Iterator[str]:
        model = self.trial.model
        with torch.device("meta"):
            built = add_model(self.trial, self.data)
        yield (
            f"SiT of size {model.size}, patch {model.patch}: {model.depth} blocks "
            f"({built.sites} sites), width {model.width}, {model.heads} heads, "
            f"{built.pos_embed.shape[1]} tokens, "
            f"{sum(p.numel() for p in built.parameters()):,} parameters with add"
        )

    def _recipe(self) -> Iterator[str]:
        t = self.trial.training
        at_once = f" ({t.micro_batch:,} at a time)" if t.micro_batch else ""
        yield f"{t.objective} objective, {t.path} path, batch {t.batch:,}{at_once}, {t.precision}"
        yield f"AdamW, learning rate {t.lr:g}, {rate_text(t)}, weight decay {t.weight_decay:g}"
        yield f"EMA {t.ema:g}, label dropout {t.label_dropout:g}"

    def _budget(self) -> Iterator[str]:
        yield (
            f"{self.budget:.3g} training FLOPs: {self.trial.training.steps:,} steps of add at "
            f"{self.step_flops:.3g}"
        )

    def _checkpoints(self) -> Iterator[str]:
        t = self.trial.training
        steps = checkpoint_steps(t, self.step_flops, self.step_flops)
        for fraction, step in zip(t.checkpoints, steps, strict=True):
            yield f"{fraction * self.budget:.3g} FLOPs, step {step:,} of add"

    def _evaluation(self) -> Iterator[str]:
        task, e = self.trial.task, self.trial.evaluation
        fd = METRICS["fd"].title_in(task.extractor)
        yield f"ranked by {METRICS[task.rank_by].title_in(task.extractor)}"
        yield f"validation loss at every checkpoint; (noise, t) draws an item: {e.val_draws}"
        yield (
            f"{fd} of {e.n_gen:,} samples at the checkpoints from "
            f"{e.fd_from * self.budget:.3g} FLOPs on"
        )
        yield from self._further_scores()
        yield f"sampler {sampler_text(e)}; {guidance_text(e)}"
        if self.sampling is not None:
            share = self.sampling / self.budget
            yield f"{self.sampling:.3g} FLOPs of sampling in all, {share:.0%} of the budget"

    def _further_scores(self) -> Iterator[str]:
        """Yield what FDr and class accuracy are measured on, or why they are not."""
        data, e = self.data, self.trial.evaluation
        if not data.n_val:
            return  # the user's files decide
        names = (self.trial.task.extractor, *e.fdr_extractors)
        features = max(extractor_kind(name).features for name in names)
        yield f"FDr {fdr_text(min(e.n_gen, data.n_val), features)}"
        classified = is_classified(data.picture_bytes, data.classes)
        yield f"class accuracy {CLASSIFIED if classified else UNCLASSIFIED}"

    def _commands(self) -> Iterator[str]:
        name = self.trial.task.name
        yield f"darbench doctor {name}"
        yield f"darbench train --routing add --task {name}"
        yield f"darbench sweep --space dar_variants task={name}"


def rate_text(t: Training) -> str:
    """A text on the course of the learning rate."""
    fall = f"{t.schedule} fall to 0 over the last {t.decay:.2g} of the budget"
    rise = f" after {t.warmup:,} steps of warm-up" if t.warmup else ""
    return ("constant" if t.schedule == "constant" else fall) + rise


def sampler_text(e: Evaluation) -> str:
    text = e.sampler
    if e.sampler in SDE_SAMPLERS:
        last = f"{e.sde.last_step} of {e.sde.last_step_size:g}"
        last = "none" if e.sde.last_step == "none" else last
        text += f" (diffusion {e.sde.form} times {e.sde.norm:g}, last step {last})"
    if e.sampler == "adaptive":
        return f"{text}: NFE as its tolerances ask"
    return f"{text}, {e.sampler_steps} steps: NFE {evaluations(e)}"


def guidance_text(e: Evaluation) -> str:
    if e.guidance == 1:
        return "without guidance"
    return f"guidance {e.guidance:g}, which makes two of each evaluation"


def hours_text(hours: dict[str, float]) -> str:
    """A text on the hours of one trial of add, by hardware."""
    return "; ".join(f"{_duration(value)} on {where}" for where, value in hours.items())


def _duration(hours: float) -> str:
    return f"{60 * hours:.2g} minutes" if hours < 1 else f"{hours:,.3g} hours"


def _row(title: str, lines: Iterator[str]) -> str:
    fill = textwrap.TextWrapper(width=WIDTH, subsequent_indent=" " * (INDENT + 2))
    body = "\n".join(fill.fill(" " * INDENT + line) for line in lines)
    return title + body[len(title) :]
