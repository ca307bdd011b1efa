"""An executed notebook is trusted by the Jupyter of whoever ran it, and by nobody else's."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from nbdataops.build.signing import sign


def executed(path: Path) -> Path:
    output = nbformat.v4.new_output("display_data", {"text/html": "<b>a widget</b>"})
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("show()", outputs=[output])]), path
    )
    return path


def is_trusted(path: Path, data_dir: Path) -> bool:
    return bool(NotebookNotary(data_dir=str(data_dir)).check_signature(nbformat.read(path, as_version=4)))


def test_a_signed_notebook_is_trusted_in_the_data_folder_of_that_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    notebook = executed(tmp_path / "stage.ipynb")

    for folder in (mine, other):
        folder.mkdir()
        assert not is_trusted(notebook, folder)
        monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder))
        sign(notebook)
        assert is_trusted(notebook, folder)


def test_a_data_folder_that_cannot_be_written_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "a file"))

    sign(executed(tmp_path / "stage.ipynb"))
