"""A classifier of small pictures that is fitted in seconds: random patches and ridge regression.

After Coates and Ng 2011, "The importance of encoding versus training with sparse coding and vector
quantization": patches of training pictures, whitened, are the filters; what a picture has of each
of them, in either sign and above a threshold, is averaged over its quadrants, and these averages
are classified by a linear function. It has no layer in common with any extractor.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from darbench.arithmetic import one_thread
from darbench.randomness import stream

FILTERS, QUADRANTS, THRESHOLD = 160, 2, 0.5
PATCHES = 5000  # of which the mean and the covariance are taken
FLAT, RARE = 0.01, 0.1  # added to variances, so that flat patches and rare directions stay small
RIDGE = 1e-3  # for each picture
BATCH = 64

Fitted = dict[str, list]  # the arrays of a classifier, as JSON holds them


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchClassifier:
    """A linear function of what a picture has of each filter; float32 arrays.

    With c channels and patches of s x s, p = c * s * s; there are f = FILTERS filters.
    """

    mean: np.ndarray  # (p,), of normalised patches
    filters: np.ndarray  # (p, f)
    weights: np.ndarray  # (8 f, classes)
    bias: np.ndarray  # (classes,)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Labels (N,) of uint8 images (N, H, W, C)."""
        return (averages(images, self.mean, self.filters) @ self.weights + self.bias).argmax(
            axis=1
        )

    def fitted(self) -> Fitted:
        return {name: values.tolist() for name, values in vars(self).items()}

    @classmethod
    def of(cls, fitted: Fitted) -> "PatchClassifier":
        return cls(**{name: np.array(values, np.float32) for name, values in fitted.items()})


def fit(images: np.ndarray, labels: np.ndarray, classes: int) -> Fitted:
    """Fit a classifier to uint8 images (N, H, W, C) with labels (N,) in [0, classes).

    The same images in the same order give the same classifier.
    """
    from sklearn.linear_model import Ridge  # not to load it where the fit is kept

    patches = _random_patches(images)
    mean, filters = patches.mean(axis=0), _whitened(patches)
    x = averages(images, mean, filters)
    centre, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    targets = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    ridge = Ridge(alpha=RIDGE * len(x), solver="cholesky").fit((x - centre) / scale, targets)
    weights = ridge.coef_.T / scale[:, None]
    bias = ridge.intercept_ - centre @ weights
    return PatchClassifier(mean=mean, filters=filters, weights=weights, bias=bias).fitted()


@torch.no_grad()
def averages(images: np.ndarray, mean: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """What square uint8 images (N, H, H, C) have of every filter, by quadrant: (N, 8 f).

    That is the mean of s(z) and of |s(z)|, where z is the product of filter and normalised patch
    and s(z) = sign(z) max(|z| - THRESHOLD, 0): what lies above the threshold in either sign.
    """
    channels, (p, f) = images.shape[3], filters.shape
    side = round((p / channels) ** 0.5)
    of_mean = torch.from_numpy((mean @ filters).astype(np.float32)).view(-1, 1, 1)
    # A patch's own mean is taken off by filters whose weights sum to 0.
    centred = (filters - filters.mean(axis=0)).T.reshape(f, channels, side, side)
    weights, parts = torch.from_numpy(np.ascontiguousarray(centred, np.float32)), []
    x = torch.tensor(images).permute(0, 3, 1, 2)
    with one_thread():  # those that fit and those that classify may be other processes
        for part in x.split(BATCH):
            pixels = part.float().contiguous() / 255
            found = F.conv2d(pixels, weights, padding=side // 2) / _contrast(pixels, side)
            above = F.softshrink(found - of_mean, THRESHOLD)
            pooled = [F.adaptive_avg_pool2d(y, QUADRANTS).flatten(1) for y in (above, above.abs())]
            parts.append(torch.cat(pooled, dim=1))
    return torch.cat(parts).double().numpy()


def _contrast(pixels: Tensor, side: int) -> Tensor:
    """The root of FLAT and the variance of each patch of pixels (n, C, H, H): (n, 1, H, H)."""
    mean, square = (
        F.avg_pool2d(x.mean(dim=1, keepdim=True), side, stride=1, padding=side // 2)
        for x in (pixels, pixels.square())
    )
    return (square - mean.square() + FLAT).sqrt()


def _random_patches(images: np.ndarray) -> np.ndarray:
    """PATCHES normalised patches (PATCHES, p), of 3 x 3 in small pictures and 7 x 7 in others."""
    side = 3 if images.shape[1] < 16 else 7
    rng, half = stream(0, "patch-classifier"), side // 2
    padded = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)))
    of, row, column = (rng.integers(n, size=PATCHES) for n in images.shape[:3])
    within = np.arange(side)
    rows, columns = row[:, None, None] + within[:, None], column[:, None, None] + within
    patches = padded[of[:, None, None], rows, columns].transpose(0, 3, 1, 2)
    x = patches.reshape(PATCHES, -1) / 255
    return (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + FLAT)


def _whitened(patches: np.ndarray) -> np.ndarray:
    """The first FILTERS patches as filters (p, f) of unit length, for patches less their mean."""
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
    whitening = (vectors / np.sqrt(values.clip(min=0) + RARE)) @ vectors.T
    chosen = whitening @ (patches[:FILTERS] - patches.mean(axis=0)).T
    return whitening @ (chosen / (np.linalg.norm(chosen, axis=0) + 1e-9))
