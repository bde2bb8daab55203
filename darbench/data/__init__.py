"""Datasets, one file for each kind; `load(name)` gives the dataset of that name."""

from darbench.data.base import Dataset
from darbench.data.catalogue import Kind, from_files, kind, load, published

__all__ = ["Dataset", "Kind", "from_files", "kind", "load", "published"]
