"""Completion networks, one file each; the layer table is the definition."""

BLOCK = 4  # px; `guarded` and `critic` take areas in blocks
