"""Completion networks, one file each; the layer table is the definition."""
