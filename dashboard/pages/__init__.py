"""The four pages: scan, review, results, models."""

NAMES = ("scan", "review", "results", "models")  # the first is at the root, the rest at their names
