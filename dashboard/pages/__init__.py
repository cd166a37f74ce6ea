"""The four pages: scan, review, results, models."""
