"""Claim: a notebook of 100 cells is executed in a fraction of papermill's time by papermill's engine `nbdataops`.

papermill's own engine writes the whole file twice a cell. Both engines start a cold kernel of the same kernelspec,
execute the same notebook and leave the same cells and text. The cells do next to nothing, which is where saving
weighs most: the longer cells compute, the nearer the ratio comes to 1. The second line leaves out what both have in
common and what swings most, the start and the end of the kernel: it counts from the first cell to the last.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from datetime import datetime
from pathlib import Path

import nbformat
import papermill

from benchmarks.comparison import Comparison, Duration, compare, script

ROUNDS = 3
CELLS = 100


def write_notebook(path: Path, cells: int) -> None:
    """A notebook whose every cell assigns and prints."""
    sources = [f"x{n} = {n}\nprint('cell', x{n})" for n in range(cells)]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, path)


def printed(path: Path) -> list[str]:
    """What every cell of an executed notebook shows; papermill's own engine may keep a line in several pieces."""
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(output.text for output in cell.outputs) for cell in cells]


def cells_s(path: Path) -> float:
    """Seconds from the start of the first cell to the end of the last, as papermill recorded them."""
    cells = nbformat.read(path, as_version=4).cells
    first, last = cells[0].metadata.papermill["start_time"], cells[-1].metadata.papermill["end_time"]
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def measure(rounds: int) -> list[Comparison]:
    logging.getLogger("papermill").setLevel(logging.ERROR)
    between: dict[str | None, list[Duration]] = {"nbdataops": [], None: []}
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        write_notebook(folder / "in.ipynb", CELLS)

        def execute(engine: str | None) -> None:
            out = folder / f"{engine}.ipynb"
            papermill.execute_notebook(folder / "in.ipynb", out, engine_name=engine, progress_bar=False)
            between[engine].append(Duration(cells_s(out)))

        ours, other = f"engine nbdataops, {CELLS} cells", "papermill's own engine"
        whole = compare(ours, lambda n: execute("nbdataops"), other, lambda n: execute(None), rounds)
        if printed(folder / "nbdataops.ipynb") != printed(folder / "None.ipynb"):
            raise SystemExit("the two engines left different text")
    return [whole, Comparison(f"{ours} alone", other, tuple(between["nbdataops"]), tuple(between[None]))]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
