"""Datasets, one file per kind; `load(name)` finds one."""

from darbench.data.base import Dataset
from darbench.data.catalogue import from_files, load

__all__ = ["Dataset", "from_files", "load"]
