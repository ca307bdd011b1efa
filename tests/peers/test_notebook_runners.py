"""papermill, nbconvert, nbclient, jupyter run and nbval execute in warm kernels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.conftest import CELLS, notebook, printed

pytestmark = pytest.mark.kernel
Run = Callable[..., str]
EXPECTED = ["preloaded", "np.int64(3)", "42"]


def test_papermills_command(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", *CELLS)

    run("papermill", "in.ipynb", "out.ipynb", "-k", "nbdataops", "--no-progress-bar")

    assert printed(tmp_path / "out.ipynb") == EXPECTED


def test_papermill_in_a_program_twice_with_parameters(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", *CELLS, "print(mine)")
    (tmp_path / "program.py").write_text(
        "import papermill\nfor n in (1, 2):\n"
        "    papermill.execute_notebook('in.ipynb', f'{n}.ipynb', parameters={'mine': n}, progress_bar=False)\n"
    )

    run("program")

    assert [printed(tmp_path / f"{n}.ipynb") for n in (1, 2)] == [[*EXPECTED, "1"], [*EXPECTED, "2"]]


def test_an_error_in_a_cell_is_papermills_error(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", "1/0")
    (tmp_path / "program.py").write_text(
        "import papermill\nfrom papermill.exceptions import PapermillExecutionError\n"
        "try:\n    papermill.execute_notebook('in.ipynb', 'out.ipynb', progress_bar=False)\n"
        "except PapermillExecutionError as error:\n    print('seen:', error.ename)\n"
    )

    assert "seen: ZeroDivisionError" in run("program")


def test_nbconvert_executes(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", *CELLS)

    run("nbconvert", "--execute", "--to", "notebook", "--output", "out.ipynb", "in.ipynb")

    assert printed(tmp_path / "out.ipynb") == EXPECTED


def test_nbclient_executes_and_many_at_once(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", *CELLS)
    (tmp_path / "program.py").write_text(
        "import asyncio, nbformat\nfrom nbclient import NotebookClient\n"
        "books = [nbformat.read('in.ipynb', 4) for _ in range(4)]\n"
        "async def all_of_them():\n"
        "    await asyncio.gather(*(NotebookClient(b).async_execute() for b in books))\n"
        "asyncio.run(all_of_them())\n"
        "for n, book in enumerate(books): nbformat.write(book, f'{n}.ipynb')\n"
    )

    run("program")

    assert [printed(tmp_path / f"{n}.ipynb") for n in range(4)] == [EXPECTED] * 4


def test_a_cell_that_takes_too_long_is_nbclients_timeout(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", "import time\ntime.sleep(600)")
    (tmp_path / "program.py").write_text(
        "import nbformat\nfrom nbclient import NotebookClient\nfrom nbclient.exceptions import CellTimeoutError\n"
        "try:\n    NotebookClient(nbformat.read('in.ipynb', 4), timeout=1).execute()\n"
        "except CellTimeoutError:\n    print('timed out')\n"
    )

    assert "timed out" in run("program")


def test_a_kernel_that_dies_is_nbclients_dead_kernel(run: Run, tmp_path: Path) -> None:
    notebook(tmp_path / "in.ipynb", "import os\nos._exit(1)")
    (tmp_path / "program.py").write_text(
        "import nbformat\nfrom nbclient import NotebookClient\nfrom nbclient.exceptions import DeadKernelError\n"
        "try:\n    NotebookClient(nbformat.read('in.ipynb', 4)).execute()\n"
        "except DeadKernelError:\n    print('died')\n"
    )

    assert "died" in run("program")


def test_jupyter_run_executes_a_script(run: Run, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("\n".join(CELLS))

    said = run("jupyter", "run", "--kernel", "nbdataops", "script.py")

    assert said.split()[0] == "preloaded"
    assert "42" in said.split()


def test_nbval_compares_outputs(run: Run, tmp_path: Path) -> None:
    stored: list[list[dict[str, object]]] = [
        [{"output_type": "stream", "name": "stdout", "text": "preloaded\n"}],
        [{"output_type": "execute_result", "execution_count": 2, "metadata": {}, "data": {"text/plain": "np.int64(3)"}}],
        [{"output_type": "stream", "name": "stdout", "text": "42\n"}],
    ]  # fmt: skip
    path = notebook(tmp_path / "test.ipynb", *CELLS, outputs=stored)

    said = run("pytest", "--nbval", "-p", "no:cacheprovider", "test.ipynb")
    assert "3 passed" in said

    path.write_text(json.dumps(json.loads(path.read_text())).replace("42\\n", "43\\n"))
    (tmp_path / "program.py").write_text(
        "import pytest\nassert pytest.main(['--nbval', '-p', 'no:cacheprovider', 'test.ipynb']) == 1\n"
    )
    assert "1 failed" in run("program")
