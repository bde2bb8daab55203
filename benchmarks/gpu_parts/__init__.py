"""The parts of gpu.py: each names the cells that it fills, and measures them one by one.

A part is a module with `LINES`, the titles of its lines of the table and the columns in which each
has a figure, and `rows(device)`, which yields a `Row` as soon as it is measured: what was measured
before a part fails or is cut off is kept. On the CPU sizes are toys.
"""
