"""Claim: `import nbdataops.ltv` takes no longer than `import scipy.optimize, pandas`.

A process each time. The first line counts the whole process, start of Python included; the second the import
statement alone, by the process's own clock.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.comparison import Comparison, Duration, compare, script
from benchmarks.ltv.turns import ROOT

ROUNDS = 15
OURS, FLOOR = "import nbdataops.ltv", "import scipy.optimize, pandas"


def measure(rounds: int) -> list[Comparison]:
    inside: dict[str, list[Duration]] = {OURS: [], FLOOR: []}

    def start(statement: str) -> None:
        timed = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
        done = subprocess.run(
            [sys.executable, "-c", timed], cwd=ROOT, check=True, capture_output=True, text=True
        )
        inside[statement].append(Duration(float(done.stdout)))

    start(OURS), start(FLOOR)  # compiled files and the system's cache
    for statement in inside:
        inside[statement].clear()
    whole = compare(f"python -c '{OURS}'", lambda n: start(OURS), FLOOR, lambda n: start(FLOOR), rounds)
    alone = Comparison(OURS, FLOOR, tuple(inside[OURS]), tuple(inside[FLOOR]), asked=1.0)
    return [whole, alone]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
