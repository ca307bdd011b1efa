"""The papermill engine by itself: `papermill --engine nbdataops`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nbdataops.build import engine
from tests.conftest import Notebook

pytestmark = pytest.mark.kernel


def test_plain_papermill_can_use_the_engine(tmp_path: Path) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["print(n + 1)"], parameters="n: int = 1").path
    command = [sys.executable, "-m", "papermill", "--engine", "nbdataops", "-k", "python3", str(source)]

    done = subprocess.run(
        [*command, str(tmp_path / "out.ipynb"), "-p", "n", "41"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    out = json.loads((tmp_path / "out.ipynb").read_text())
    assert out["cells"][-1]["outputs"][0]["text"] == ["42\n"]


def test_a_notebook_is_not_written_twice_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import papermill

    written: list[int] = []
    write = engine.atomic_write

    def counted(path: Path, data: bytes) -> None:
        written.append(len(data))
        write(path, data)

    monkeypatch.setattr(engine, "atomic_write", counted)
    source = Notebook.write(tmp_path / "in.ipynb", ["1 + 1"] * 40).path

    options = engine.EngineOptions(output=tmp_path / "out.ipynb", save_every_s=3600)
    papermill.execute_notebook(
        str(source),
        None,
        engine_name="nbdataops",
        kernel_name="python3",
        progress_bar=False,
        nbdataops=options,
    )

    assert len(written) == 1, "stock papermill writes 82 times"
    assert len(json.loads((tmp_path / "out.ipynb").read_text())["cells"]) == 40


def test_what_papermill_writes_itself_is_not_written_by_the_engine_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    monkeypatch.setattr(engine, "atomic_write", lambda path, data: pytest.fail("written by the engine"))
    source = Notebook.write(tmp_path / "in.ipynb", ["print(6 * 7)"]).path
    out = tmp_path / "out.ipynb"

    papermill.execute_notebook(
        str(source), str(out), engine_name="nbdataops", kernel_name="python3", progress_bar=False
    )

    notebook = json.loads(out.read_text())
    assert notebook["cells"][0]["outputs"][0]["text"] == ["42\n"]
    assert notebook["metadata"]["papermill"]["duration"] > 0


def test_what_a_kernel_printed_before_it_died_is_in_papermills_output(tmp_path: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    source = Notebook.write(tmp_path / "in.ipynb", ["print(6 * 7)", "import os; os._exit(3)"]).path
    out = tmp_path / "out.ipynb"

    with pytest.raises(DeadKernelError):
        papermill.execute_notebook(
            str(source), str(out), engine_name="nbdataops", kernel_name="python3", progress_bar=False
        )

    assert json.loads(out.read_text())["cells"][0]["outputs"][0]["text"] == ["42\n"]


@pytest.mark.parametrize(
    "settings",
    [
        {"iopub_timeout": 30},
        {"startup_timeout": 30},
        {"timeout": 30, "execution_timeout": 20},
        {"resources": {}},
    ],
    ids=str,
)
def test_the_settings_of_nbclient_that_papermill_takes_are_taken(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    import papermill

    source = Notebook.write(tmp_path / "in.ipynb", []).path

    papermill.execute_notebook(
        str(source), str(tmp_path / "out.ipynb"), engine_name="nbdataops", kernel_name="python3",
        progress_bar=False, **settings,
    )  # fmt: skip

    assert json.loads((tmp_path / "out.ipynb").read_text())["cells"] == []
