"""FD-infinity: the Frechet distance that infinitely many generated samples would have.

After Chong and Forsyth 2020 (arXiv:1911.07023), who fit a line to FD over 1/n on random subsets
and read it at 0; the reference stays as it is. Expected over samples, FD(n) = F + a/n + b/n^2 +
..., and how subsets are chosen decides what is left of a and b, and whether an error can be given.

Here the n samples are shuffled and cut into halves and quarters, three times, and

    F = 8/3 FD(n) - 2 FD(n/2) + 1/3 FD(n/4),        each FD the mean over its disjoint subsets.

It was chosen by simulation, on Gaussians of 8 to 64 dimensions with the reference known exactly:

- The line through n and n/2, 2 FD(n) - FD(n/2), leaves -2b/n^2. Near distance 0 that is 0.3
  standard errors at 22 samples a feature and 1 at 8. A line fitted to n, n/2 and n/4 leaves 0.7
  and 2.5. The weights above are the line's next step (Richardson): a and b both vanish, what is
  left stays below 0.2 standard errors from 8 samples a feature on. With fewer there is no value.
- Subsets are disjoint and exhaust the samples, so the part of FD that is linear in the samples is
  the same at all three sizes: its error is that of FD(n), whatever the weights, and the shuffles
  add none to it.
- The part that is quadratic in them is all there is at distance 0. One shuffle has 4 times its
  least possible variance, R shuffles 1 + 3 / R times; subsets of one shuffle are not independent,
  and a fit's own residuals would say little of it. The standard error is that of the influence
  function at the empirical distribution. It overstates the quadratic part twofold, which is well
  known of the jackknife (Efron and Stein 1981), and with R = 3 the two are equal.
- The scatter of the three shuffles comes from the quadratic part alone, 3 times its least
  variance, and so tells its size again. It is a floor for the error: samples that are the
  reference itself have no influence.
- Samples whose labels were set, not drawn, are stratified: their moments scatter less, because
  the differences between the classes do not add to it. Subsets that ignored the labels would
  scatter fully, and with classes like those of the digits F would come out 1.3 standard errors
  too low. So each subset has its share of every label, and the error is that of samples within a
  label.
"""

import math

import numpy as np

from darbench.metrics.scores.frechet import Statistics
from darbench.metrics.scores.strata import shuffled, strata_of, variance_within
from darbench.randomness import stream
from darbench.records.rules import FD_INFINITY_LEAST as LEAST
from darbench.records.rules import FD_INFINITY_SHUFFLES as SHUFFLES


def fd_infinity(
    features: np.ndarray, real: Statistics, labels: np.ndarray | None = None
) -> tuple[float, float]:
    """FD-infinity of float64 features (n, d) and its standard error; NaN below n = 8 d.

    labels: (n,), given if every label has a fixed share of the samples. The error covers the
    generated samples alone. The value is not clipped: at distance 0 half of all values are
    negative. The shuffles are seeded and act on the order of the rows.
    """
    n, d = features.shape
    if n < LEAST * d:
        return math.nan, math.nan
    strata = strata_of(labels, n)
    root = square_root(real["sigma"])
    whole, values = distance(features, real, root), []
    for shuffle in range(SHUFFLES):
        ordered = features[shuffled(strata, stream(0, "fd-infinity", shuffle))]
        half, quarter = (_mean_distance(ordered, parts, real, root) for parts in (2, 4))
        values.append((8 * whole - 6 * half + quarter) / 3)
    floor = 2 * np.var(values, ddof=1) / 3
    variance = max(variance_within(strata, influence(features, real)) / n, floor)
    return float(np.mean(values)), math.sqrt(variance)


def influence(features: np.ndarray, real: Statistics) -> np.ndarray:
    """How far each sample pulls FD, (n,): the derivative of FD towards a mass at the sample.

    With c = x - mu it is 2 c.(mu - mu_r) + c.(I - T) c, up to a constant, where the matrix T of
    S^(1/2)'s product form, S_r^(1/2) (S_r^(1/2) S S_r^(1/2))^(-1/2) S_r^(1/2), transports the
    samples' Gaussian to the reference's. Directions in which the samples do not vary are left out.
    """
    mean, covariance = _moments(features)
    root = square_root(real["sigma"])
    values, vectors = np.linalg.eigh(root @ covariance @ root)
    varies = values > 1e-12 * values[-1]
    inverse = np.zeros_like(values)
    inverse[varies] = values[varies] ** -0.5
    transport = root @ (vectors * inverse) @ vectors.T @ root
    centred = features - mean
    quadratic = centred * (centred - centred @ transport)
    return 2 * centred @ (mean - real["mu"]) + quadratic.sum(axis=1)


def _mean_distance(features: np.ndarray, parts: int, real: Statistics, root: np.ndarray) -> float:
    """Mean FD of as many consecutive subsets of equal size."""
    return float(np.mean([distance(p, real, root) for p in np.array_split(features, parts)]))


def distance(features: np.ndarray, real: Statistics, root: np.ndarray) -> float:
    """FD in its symmetric form: one root of the reference serves all subsets, and eigenvalues of a
    symmetric matrix cost a fraction of those of S S_r, which matters at 2048 features."""
    mean, covariance = _moments(features)
    values = np.linalg.eigvalsh(root @ covariance @ root).clip(min=0)
    difference = mean - real["mu"]
    traces = np.trace(covariance) + np.trace(real["sigma"])
    return difference @ difference + traces - 2 * np.sqrt(values).sum()


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and unbiased covariance (d, d) of features (n, d)."""
    return features.mean(axis=0), np.cov(features, rowvar=False)


def square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
