"""Claim: a notebook of one cell, `x = 1`, takes an eighth of stock papermill's time, or less.

Here nothing is imported, so what is compared is starting a kernel, saving, and ending the kernel.
"""

from __future__ import annotations

from benchmarks.comparison import Comparison, script
from benchmarks.execution.one_notebook import as_fast_as_papermill

ROUNDS = 9


def measure(rounds: int) -> list[Comparison]:
    return as_fast_as_papermill("one-cell notebook", ["x = 1"], rounds, at_least=8)


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
