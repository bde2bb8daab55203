"""Datasets, one file per kind; `load(name)` finds one."""

from darbench.data.base import Dataset
from darbench.data.catalogue import Kind, from_files, kind, load, published

__all__ = ["Dataset", "Kind", "from_files", "kind", "load", "published"]
