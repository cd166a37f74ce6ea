"""Needle: finds what does not belong in a planetary picture."""

__version__ = "0.1.0"
