"""Claim: `import nbdataops.ltv` takes no longer than `import scipy.optimize, pandas`.

A process each time, with all modules compiled beforehand, as after an installation. The first line counts the whole process, start of Python included; the second the import
statement alone, by the process's own clocks. The floor is what any such package loads, and nothing of its own:
`nbdataops.ltv` loads pandas and scipy.special, and scipy.optimize only when something is fitted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.comparison import Comparison, Duration, compare, script
from benchmarks.ltv.turns import ROOT

ROUNDS = 15
OURS, FLOOR = "import nbdataops.ltv", "import scipy.optimize, pandas"


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory(prefix="compiled-") as compiled:
        return _measure(
            rounds, {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        )


def _measure(rounds: int, environment: dict[str, str]) -> list[Comparison]:
    inside: dict[str, list[Duration]] = {OURS: [], FLOOR: []}

    def start(statement: str) -> None:
        clocks = "time.perf_counter(), time.process_time()"
        timed = f"import time; begun = {clocks}; {statement}; print(*begun, {clocks})"
        done = subprocess.run(
            [sys.executable, "-c", timed],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        wall, cpu, wall_then, cpu_then = (float(moment) for moment in done.stdout.split())
        inside[statement].append(Duration(wall_then - wall, cpu_then - cpu))

    start(OURS), start(FLOOR)  # compiles
    for statement in inside:
        inside[statement].clear()
    whole = compare(f"python -c '{OURS}'", lambda n: start(OURS), FLOOR, lambda n: start(FLOOR), rounds)
    alone = Comparison(OURS, FLOOR, tuple(inside[OURS]), tuple(inside[FLOOR]), asked=1.0)
    return [whole, alone]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
