"""Claim: six stages take a twelfth of stock papermill's time, and 0.8 of that of one Python process with their code.

Each stage imports, reads a table, fits and writes (`six_stages`). Ours is what people use: the runner, in a process
that has run before, with all that a run does beside its cells: reading the declaration, planning, assignments, the
ledger, snapshots with their versions. Papermill executes six notebooks one after another in a process that has run
before, too; the Python process is a fresh one that runs the code as six functions, imports included.

Two further lines: papermill's API with kernel and engine `nbdataops` in place of the runner; and the whole command
`nbdataops build`, as typed in a shell, against the Python process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.execution.sides import API, both, command, in_turns, servers, stock_python
from benchmarks.execution.six_stages import STAGES, last_table, write_notebooks, write_product, write_script

ROUNDS = 7
PROCESS = "one Python process, imports included"


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as name, servers() as made, both(made) as (ours, stock):
        mine, other, alone, product = (Path(name) / n for n in ("mine", "other", "alone", "product"))
        stages = write_product(product)
        my_notebooks, other_notebooks = write_notebooks(mine), write_notebooks(other)
        program = write_script(alone)

        def runner() -> Duration:
            return ours.does("build", product=str(product), stages=stages)

        def warm() -> Duration:
            return ours.does("notebooks", paths=my_notebooks, kernel="nbdataops", engine="nbdataops")

        def papermill() -> Duration:
            return stock.does("notebooks", paths=other_notebooks, kernel="python3")

        def process() -> Duration:
            return command([stock_python(), program], {}, alone)

        def typed() -> Duration:
            forced = [word for stage in stages for word in ("--force", stage)]
            return command([made.programs / "nbdataops", "build", *stages, *forced], made.variables, product)

        ways = (runner, warm, papermill, process, typed)
        in_turns(ways, 1)
        by_runner, by_warm, by_papermill, by_process, by_command = in_turns(ways, rounds)
        for folder in (mine, other):
            pd.testing.assert_frame_equal(last_table(folder), last_table(alone))
        what = f"{STAGES} stages"
        return [
            Comparison(f"{what}, our runner", API, by_runner, by_papermill, asked=1 / 12),
            Comparison(f"{what}, our runner", PROCESS, by_runner, by_process, asked=0.8),
            Comparison(f"{what}, papermill's API with our kernel and engine", API, by_warm, by_papermill),
            Comparison(f"{what}, the command nbdataops build", PROCESS, by_command, by_process),
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
