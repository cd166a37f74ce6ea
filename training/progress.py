"""What long work tells of how far it is."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, float], None]  # what is done now, and which part of it is

LEARNING, MEASURING, EXPORTING = "learning", "measuring", "exporting"


def nobody(doing: str, part: float) -> None:
    """A report that nobody asked for."""
