"""Claim: a notebook of 200 cells takes a fifteenth of stock papermill's time, or less.

Every cell assigns and prints. Stock papermill writes the whole file twice a cell.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, script
from benchmarks.execution.outputs import require_same_text
from benchmarks.execution.sides import API, as_fast, both, servers, write_notebook

ROUNDS = 7
CELLS = 200


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, both(made) as (ours, stock):
        sources = [f"x{n} = {n}\nprint('cell', x{n})" for n in range(CELLS)]
        mine, other = (write_notebook(Path(folder) / f"{side}.ipynb", sources) for side in ("ours", "stock"))
        small = write_notebook(Path(folder) / "small.ipynb", sources[:1])
        ours.does("notebook", path=small, kernel="nbdataops", engine="nbdataops")
        stock.does("notebook", path=small, kernel="python3")
        compared = as_fast(
            f"{CELLS} cells",
            lambda: ours.does("notebook", path=mine, kernel="nbdataops", engine="nbdataops"),
            API,
            lambda: stock.does("notebook", path=other, kernel="python3"),
            rounds,
            at_least=15,
            warm_up=False,
        )
        require_same_text(mine, other)
        return [compared]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
