"""Claim: by the command line a stage takes an eighth of the `papermill` command's time, and a third of a script's.

The stage of `stage_with_imports`; each is a whole command, from its start to its end. `nbdataops papermill` is
papermill's own command line, served by a process that has imported papermill; its servers are there already, as after
the first command of a day. The script is the same code for `python script.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, Duration, script
from benchmarks.execution.sides import command, in_turns, servers, stock_python, write_notebook
from benchmarks.execution.stage_with_imports import CELLS

ROUNDS = 9


def measure(rounds: int) -> list[Comparison]:
    python = stock_python()
    with tempfile.TemporaryDirectory() as name, servers() as made:
        folder = Path(name)
        path = write_notebook(folder / "stage.ipynb", CELLS)
        program = folder / "script.py"
        program.write_text("\n".join(CELLS) + "\n")

        def ours() -> Duration:
            arguments = ["papermill", path, "ours.ipynb", "-k", "nbdataops", "--engine", "nbdataops"]
            return command([made.programs / "nbdataops", *arguments], made.variables, folder)

        def papermill() -> Duration:
            return command([python.parent / "papermill", path, "stock.ipynb", "-k", "python3"], {}, folder)

        def plain() -> Duration:
            return command([python, program], {}, folder)

        in_turns((ours, papermill, plain), 1)
        made.wait_for_standby()
        mine, other, cold = in_turns((ours, papermill, plain), rounds)
        what = "one stage with imports, nbdataops papermill"
        return [
            Comparison(what, "the papermill command", mine, other, asked=1 / 8),
            Comparison(what, "python script.py", mine, cold, asked=1 / 3),
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
