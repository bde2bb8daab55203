"""Frechet distance of two sets of features, as torch-fidelity computes it.

The order of the samples changes the last bits of a moment. Reference and scores put images in the
order of their content first, so equal sets of images have bitwise equal moments.
"""

import math

import numpy as np
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

Statistics = dict[str, np.ndarray]  # mu (d,), sigma (d, d), float64


def statistics(features: Tensor) -> Statistics:
    """Mean and unbiased covariance of float64 features (n, d)."""
    return fid_features_to_statistics(features)


def frechet_distance(one: Statistics, two: Statistics) -> float:
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), eq. 6 of Heusel et al. 2017
    (arXiv:1706.08500).

    It is biased upwards by a term in 1/n: see fd_infinity. Rounding can push a distance of 0 just
    below; it is 0 then.
    """
    distance = fid_statistics_to_metric(one, two, verbose=False)["frechet_inception_distance"]
    return distance if math.isnan(distance) else max(0.0, distance)
