"""Progress of long work, reported as it goes on."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str, float], None]  # what is done now, and which part of it is

LEARNING, MEASURING, EXPORTING = "learning", "measuring", "exporting"


def silent(doing: str, part: float) -> None:
    """Reports nothing."""
