"""Claim: a notebook of one cell, `x = 1`, takes an eighth of stock papermill's time, or less.

Here nothing is imported, so what is compared is starting a kernel, saving, and ending the kernel.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, script
from benchmarks.execution.sides import API, as_fast, both, servers, write_notebook

ROUNDS = 9


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        path = write_notebook(Path(folder) / "one.ipynb", ["x = 1"])
        return [
            as_fast(
                "one-cell notebook",
                lambda: ours.does("notebook", path=path, kernel="nbdataops", engine="nbdataops"),
                API,
                lambda: stock.does("notebook", path=path, kernel="python3"),
                rounds,
                at_least=8,
            )
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
