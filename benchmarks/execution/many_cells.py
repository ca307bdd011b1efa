"""Claim: a notebook of 200 cells takes a fifteenth of stock papermill's time, or less.

Every cell assigns and prints. Stock papermill writes the whole file twice a cell.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.execution.one_notebook import as_fast_as_papermill

ROUNDS = 7
CELLS = 200


def measure(rounds: int) -> list[Comparison]:
    sources = [f"x{n} = {n}\nprint('cell', x{n})" for n in range(CELLS)]
    return as_fast_as_papermill(f"{CELLS} cells", sources, rounds, at_least=15, warm_up=sources[:1])


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
