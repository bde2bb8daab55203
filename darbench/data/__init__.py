"""Datasets, one file per kind; `load(name)` finds one."""

from darbench.data.base import Dataset, load

__all__ = ["Dataset", "load"]
