"""When to stop: how many of the objects that a scan finds stand below so many natural places."""

from __future__ import annotations

# Of pieces planted on five grounds that lie in a place at all, the part that stands below at least
# so many natural places (`tests/benchmarks/verdicts.md`).
LATER = ((10, 0.25), (20, 0.19), (30, 0.16), (40, 0.13), (60, 0.10), (80, 0.09), (100, 0.09))
