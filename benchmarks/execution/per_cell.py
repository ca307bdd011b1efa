"""Claim: a cell costs at most 1.3 times what it costs the barest client, in notebooks of 20 cells as of 1,000.

Ours is papermill's API with the engine `nbdataops`, from the start of the first cell to the end of the last, as
papermill records them: with everything that happens between cells, the saves, too. The barest client is a loop over
jupyter_client's blocking client in the same process: send a cell, wait for its reply and for the kernel to be idle;
it keeps nothing. Both use warm kernels of the kernelspec `nbdataops`. The third line holds our own time per cell
against itself, so as to see it grow.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, script
from benchmarks.execution.sides import Way, in_turns, ours_of, servers, write_notebook

ROUNDS = 9
FEW, MANY = 20, 1000
TIMES = 5
"""Executions of the few cells in each round, of which the median counts: together they take as long as 100 cells."""
RAW = "a raw jupyter_client loop"
AT_MOST, FLAT = 1.3, 1.1


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, servers() as made, ours_of(made) as side:
        few, many = (
            write_notebook(Path(folder) / f"{size}.ipynb", [f"x{n} = {n}" for n in range(size)])
            for size in (FEW, MANY)
        )

        def papermill(path: str, times: int) -> Way:
            return lambda: side.does("cells", path=path, kernel="nbdataops", engine="nbdataops", times=times)

        def raw(path: str, times: int) -> Way:
            return lambda: side.does("requests", path=path, kernel="nbdataops", times=times)

        ways = (papermill(few, TIMES), raw(few, TIMES), papermill(many, 1), raw(many, 1))
        in_turns(ways[:2], 1)
        ours_few, raw_few, ours_many, raw_many = in_turns(ways, rounds)
        return [
            Comparison(f"a cell of {FEW}", RAW, ours_few, raw_few, AT_MOST),
            Comparison(f"a cell of {MANY:,}", RAW, ours_many, raw_many, AT_MOST),
            Comparison(f"a cell of {MANY:,}", f"ours, a cell of {FEW}", ours_many, ours_few, FLAT),
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
