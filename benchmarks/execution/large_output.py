"""Claim: 20 MB of output and then 50 cells take a ninth of stock papermill's time, or less.

Stock papermill writes the whole file twice a cell, all 20 MB. Both keep everything.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.execution.one_notebook import as_fast_as_papermill

ROUNDS = 7
MB, CELLS = 20, 50
PRINT = f"for _ in range({10 * MB}):\n    print(('x' * 99 + '\\n') * 1000, end='')"


def measure(rounds: int) -> list[Comparison]:
    sources = [PRINT, *(f"x{n} = {n}" for n in range(CELLS))]
    what = f"{MB} MB of output, then {CELLS} cells"
    return as_fast_as_papermill(what, sources, rounds, at_least=9, warm_up=sources[1:2])


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
