"""Claim: 20 MB of output and then 50 cells take a ninth of stock papermill's time, or less.

Stock papermill writes the whole file twice a cell, all 20 MB. Our engine keeps at most 5 MB of a stage's output
unless it is told otherwise; here it is told to keep everything, as papermill does.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, script
from benchmarks.execution.outputs import require_same_text
from benchmarks.execution.sides import API, as_fast, both, servers, write_notebook

ROUNDS = 7
MB, CELLS = 20, 50
PRINT = f"for _ in range({10 * MB}):\n    print(('x' * 99 + '\\n') * 1000, end='')"


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        sources = [PRINT, *(f"x{n} = {n}" for n in range(CELLS))]
        mine, other = (write_notebook(Path(folder) / f"{side}.ipynb", sources) for side in ("ours", "stock"))
        small = write_notebook(Path(folder) / "small.ipynb", sources[1:2])
        ours.does("notebook", path=small, kernel="nbdataops", engine="nbdataops")
        stock.does("notebook", path=small, kernel="python3")
        compared = as_fast(
            f"{MB} MB of output, then {CELLS} cells",
            lambda: ours.does("notebook", path=mine, kernel="nbdataops", engine="nbdataops"),
            API,
            lambda: stock.does("notebook", path=other, kernel="python3"),
            rounds,
            at_least=9,
            warm_up=False,
        )
        require_same_text(mine, other)
        return [compared]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
