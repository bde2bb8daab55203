"""Pictures to score, and their features."""

import numpy as np
import scipy.linalg

from darbench.metrics.extractors.extractor import extract, extractor


def noisy(images, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def features_of(images, layer="64"):
    return extract(extractor("digits-cnn"), images)[layer].double()


def frechet_by_sqrtm(one, two):
    """The definition in float64, the root of the product taken through the symmetric form."""
    one, two = one.numpy(), two.numpy()
    s1, s2 = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    values, vectors = scipy.linalg.eigh(s1)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    between = np.sqrt(scipy.linalg.eigvalsh(root @ s2 @ root).clip(min=0)).sum()
    difference = one.mean(axis=0) - two.mean(axis=0)
    return difference @ difference + np.trace(s1) + np.trace(s2) - 2 * between
