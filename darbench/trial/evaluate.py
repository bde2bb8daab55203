"""The evaluation of a model: its validation loss, and scores of its samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from darbench.data import Dataset
from darbench.flow.parts import in_parts
from darbench.flow.transport import Transport
from darbench.metrics.scores.class_accuracy import class_accuracy
from darbench.metrics.scores.reference import Reference, reference
from darbench.metrics.scores.score import bootstrapped_distances, score
from darbench.metrics.scores.validation import (
    ValidationLoss,
    loss_of_items,
    resampled_losses,
    validation_loss,
)
from darbench.model.sit import SiT
from darbench.records.settings import Evaluation
from darbench.records.trial import Trial
from darbench.trial.generate import Samples, generate


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluator:
    """One protocol for one pair id; a `redraw` other than 0 has random numbers of its own."""

    evaluation: Evaluation
    dataset: Dataset
    reference: Reference
    further: tuple[Reference, ...]  # of the other extractors that FDr is averaged over
    transport: Transport
    pair_id: int
    device: str

    @classmethod
    def of(cls, trial: Trial, dataset: Dataset, transport: Transport, device: str) -> "Evaluator":
        labels = dataset.val(np.arange(dataset.n_val))[1].numpy()
        images = dataset.reference_images, dataset.val_images, dataset.reference_labels, labels
        return cls(
            evaluation=trial.evaluation,
            dataset=dataset,
            reference=reference(trial.task.extractor, *images),
            further=tuple(reference(n, *images) for n in trial.evaluation.fdr_extractors),
            transport=transport,
            pair_id=trial.pair_id,
            device=device,
        )

    def loss(self, model: SiT, redraw: int = 0) -> ValidationLoss:
        draws = self.evaluation.val_draws
        network = in_parts(model, model.pos_embed.shape[1], self.device)
        return validation_loss(network, self.dataset, draws, self.device, self.transport, redraw)

    def apart(self, model: SiT) -> dict[str, float]:
        """Return the loss on what the dataset keeps apart; nothing if it has no such part."""
        items = self.dataset.apart()
        if items is None:
            return {}
        draws = self.evaluation.val_draws
        network = in_parts(model, model.pos_embed.shape[1], self.device)
        loss = loss_of_items(network, *items, draws, self.device, self.transport)
        return {"val_loss_apart": loss.total}

    def samples(self, model: SiT, redraw: int = 0) -> Samples | None:
        """Return generated samples; None if any is not finite."""
        seed = f"{self.pair_id}.{redraw}" if redraw else self.pair_id
        return generate(model, self.dataset, self.evaluation, seed, self.device, self.transport)

    def scores(self, samples: Samples) -> dict[str, Any]:
        """Return columns of the samples' row."""
        judged = class_accuracy(self.dataset, samples.pictures, samples.labels)
        own = score(samples.pictures, self.reference, samples.labels, self.further)
        return own | judged

    def redraws(self, model: SiT, measured: dict[str, Any], samples: Samples) -> dict[str, Any]:
        """Measure the same weights again with other random numbers.

        The lists of losses and distances begin with the first measurement; that of distances to
        resampled references does not, for the real reference is nearer to the samples. None stands
        for samples that are not finite.
        """
        redraws = range(1, self.evaluation.redraws + 1)
        losses = [self.loss(model, redraw) for redraw in redraws]
        again = (self.samples(model, redraw) for redraw in redraws)
        distances = (None if s is None else self.scores(s)["fd"] for s in again)
        resampled = bootstrapped_distances(samples.pictures, self.reference, len(redraws))
        return {
            "val_loss_redraws": [measured["val_loss"], *(loss.total for loss in losses)],
            "val_loss_image_redraws": resampled_losses(losses[0].images),
            "fd_redraws": [measured["fd"], *distances],
            "fd_reference_redraws": resampled,
        }
