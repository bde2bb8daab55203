"""Matrices of all pairs are made block by block, so that memory does not grow with their size."""

VALUES = 2**23  # of one block: 64 MB in float64


def rows(columns: int) -> int:
    """Rows of a block with that many columns."""
    return max(1, VALUES // columns)
