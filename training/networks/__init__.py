"""Completion networks, one file each; the layer table is the definition."""

BLOCK = 4  # px; `guarded` takes areas in blocks
