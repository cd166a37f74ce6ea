"""`python -m tests.fuzz`: thousands of strange inputs; what did harm is kept in a folder.

python -m tests.fuzz --cases 5000 --seed 1 --out harm
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz import home as homes
from tests.fuzz.cases import KINDS, Case, cases
from tests.fuzz.children import outcome

SHARES = {"picture": 0.4, "model": 0.1, "table": 0.15, "area": 0.2, "route": 0.1, "query": 0.05}


def main() -> int:
    """Runs the cases; 1 where one did harm."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--cases", type=int, default=5000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=Path("harm"))
    options.add_argument("--kind", choices=KINDS, action="append", help="only these; all otherwise")
    asked = options.parse_args()
    harm = 0
    with tempfile.TemporaryDirectory() as folder:
        home = homes.made(Path(folder))
        for kind in asked.kind or KINDS:
            harm += _run(kind, max(1, round(asked.cases * SHARES[kind])), asked, home)
    return min(harm, 1)


def _run(kind: str, count: int, asked: argparse.Namespace, home: Path) -> int:
    """Runs the cases of a kind, says what came of them, and keeps what did harm; how many did."""
    said: Counter[str] = Counter()
    peak, harm, began = 0.0, 0, time.monotonic()

    @seed(asked.seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(kind))
    def run(case: Case) -> None:
        nonlocal peak, harm
        found = outcome(case, home)
        said[found.what] += 1
        peak = max(peak, found.megabytes)
        if found.fault:
            harm += 1
            asked.out.mkdir(parents=True, exist_ok=True)
            name = f"{kind}-{hashlib.sha256(case.content).hexdigest()[:8]}"
            (asked.out / name).write_bytes(case.content)
            text = f"{found.what}\n{found.said}".encode("utf-8", "replace")
            (asked.out / f"{name}.txt").write_bytes(text)

    run()
    counts = ", ".join(f"{number} {what}" for what, number in sorted(said.items()))
    seconds = time.monotonic() - began
    print(f"{kind}: {counts}; peak {peak:.0f} MB a case, {seconds:.0f} s", flush=True)
    return harm


if __name__ == "__main__":
    sys.exit(main())
