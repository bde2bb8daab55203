"""Samples of a model, each of which is a function of the seed and its own index."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from darbench.data import Dataset
from darbench.flow.parts import in_parts
from darbench.flow.samplers import guided
from darbench.flow.sampling import make_sampler
from darbench.flow.transport import DEFAULT, Transport
from darbench.model.sit import SiT
from darbench.randomness import normal_per_index
from darbench.records.rules import SAMPLE_BATCH, SAMPLE_TOKENS
from darbench.records.settings import Evaluation
from darbench.trial.audit import Digest, thinned


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    pictures: np.ndarray  # uint8 (n, H, W, C) in the order of the sample index
    labels: np.ndarray  # (n,), the classes that they were generated for
    audit: str  # hash of labels and noise

    @property
    def collapsed(self) -> bool:
        """Whether all pictures are equal, or each has one colour: then distances mean nothing."""
        alike = (self.pictures == self.pictures[:1]).all()
        return bool(alike or (self.pictures == self.pictures[:, :1, :1]).all())


@torch.no_grad()
def generate(
    model: SiT,
    dataset: Dataset,
    evaluation: Evaluation,
    seed: int | str,
    device: str,
    transport: Transport = DEFAULT,
) -> Samples | None:
    """Return n_gen samples; None if any is not finite, as an item or as a picture.

    Noise is keyed by the sample's index, in a stochastic step by the step too, and the label is
    index mod classes, so that a sample is the same in any batch.
    """
    tokens = model.pos_embed.shape[1]
    sampler = make_sampler(evaluation, transport)
    field = transport.velocity(in_parts(model, tokens, device))
    audit, labels = Digest(), np.arange(evaluation.n_gen) % dataset.classes

    def draw(indices: range, step: int | None = None) -> Tensor:
        name = "sample" if step is None else f"sample/{step}"
        noise = torch.from_numpy(normal_per_index(seed, name, indices, dataset.shape))
        audit.add(**{name: thinned(noise[: evaluation.n_gen - indices.start])})
        return noise.to(device)

    pictures = []
    batch = max(1, min(SAMPLE_BATCH, SAMPLE_TOKENS // tokens))
    for start in range(0, evaluation.n_gen, batch):
        indices = range(start, start + batch)
        label = torch.tensor([i % dataset.classes for i in indices])
        audit.add(label=label[: evaluation.n_gen - start])
        velocity = guided(field, label.to(device), dataset.classes, evaluation.guidance)
        x = sampler(velocity, draw(indices), partial(draw, indices))
        kept = x[: evaluation.n_gen - start]
        if not torch.isfinite(kept).all():
            return None
        try:
            pictures.append(dataset.decode(kept))
        except FloatingPointError:  # finite latents may decode to what is not finite
            return None
    return Samples(pictures=np.concatenate(pictures), labels=labels, audit=audit.hexdigest())
