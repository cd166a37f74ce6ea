"""The command line as a program that works slowly, to be met at every stage of a scan."""

from __future__ import annotations

PROGRAM = """
import sys, time
from dashboard.__main__ import main
from dashboard.detector import Model
scan = sys.modules["dashboard.detector.scanning.scan"]
store = sys.modules["dashboard.detector.scanning.store"]
scan.SETTLE_SECONDS, store.SIDE = 0.0, 40
score = Model.score
def slow_score(self, *given):
    time.sleep(SECONDS)
    return score(self, *given)
Model.score = slow_score
ALSO
sys.exit(main(sys.argv[1:]))
"""


def slowed(seconds: float, also: str = "") -> str:
    """A program that takes a command's words, with progress put on disk after every piece.

    Args:
        seconds: how much longer each piece takes.
        also: statements that slow down more.
    """
    return PROGRAM.replace("SECONDS)", f"{seconds})").replace("ALSO\n", also)
