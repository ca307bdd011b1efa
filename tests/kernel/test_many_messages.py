"""All that a cell of a warm kernel says comes, in order, however much it is and whoever reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.kernel.kernels import Servers

pytestmark = pytest.mark.kernel
MANY = 10_000
"""Ten times as many as ZeroMQ keeps for a reader who is late, unless it is told otherwise."""
DISPLAYS = (
    "from IPython.display import display\nfor n in range({}): display({{'text/plain': str(n)}}, raw=True)"
)
FLUSHES = "for n in range({}): print(n, flush=True)"


@pytest.mark.parametrize("engine", [None, "nbdataops"], ids=["stock papermill", "our engine"])
@pytest.mark.parametrize("says", [DISPLAYS, FLUSHES], ids=["displays", "flushes"])
def test_nothing_is_dropped(warm: Servers, tmp_path: Path, engine: str | None, says: str) -> None:
    nb = executed(tmp_path, [says.format(MANY), "print('the end')"], engine_name=engine)

    assert numbers(nb.cells[0].outputs) == list(range(MANY))
    assert nb.cells[1].outputs[0].text == "the end\n"


def executed(folder: Path, cells: list[str], **options: Any) -> Any:
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), folder / "in.ipynb")
    # nbclient reads for 4 s after the kernel has done, and is slower than the kernel.
    return papermill.execute_notebook(
        str(folder / "in.ipynb"),
        None,
        kernel_name="bare",
        progress_bar=False,
        cwd=str(folder),
        iopub_timeout=100,
        **options,
    )


def numbers(outputs: list[Any]) -> list[int]:
    texts = [output.data["text/plain"] if "data" in output else output.text for output in outputs]
    return [int(word) for text in texts for word in text.split()]
