"""Verdicts of reviewers."""
