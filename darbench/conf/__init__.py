"""Hydra configuration groups shipped with the package; `task/` holds one card per task."""
