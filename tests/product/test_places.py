"""Where notebooks and modules are looked for."""

from __future__ import annotations

from pathlib import Path

from nbdataops.product.notebook import find_notebooks
from nbdataops.product.places import searched
from tests.conftest import Notebook

STAGE = "from nbdataops import stage\nstage.write('t', None, key='a')"


def looked_at(root: Path) -> set[str]:
    stages, _ = find_notebooks(root, store=root / "kept")
    return {p.relative_to(root).as_posix() for p in searched(root, root / "kept", stages)}


def test_every_folder_that_is_entered_and_every_file_that_is_read_are_named(tmp_path: Path) -> None:
    Notebook.write(tmp_path / "prepare" / "a.ipynb", [f"import lib.deep.one\n{STAGE}"])
    Notebook.write(tmp_path / "prepare" / "plain.ipynb", ["1"])
    Notebook.write(tmp_path / "prepare" / "Untitled.ipynb", ["1"])
    (tmp_path / "lib" / "deep").mkdir(parents=True)
    (tmp_path / "lib" / "deep" / "one.py").write_text("from lib import two\n")
    (tmp_path / "lib" / "two.py").write_text("")
    (tmp_path / "lib" / "unused.py").write_text("")

    assert looked_at(tmp_path) == {
        ".",
        "prepare",
        "prepare/a.ipynb",
        "prepare/plain.ipynb",
        "lib",
        "lib/deep",
        "lib/deep/one.py",
        "lib/two.py",
    }


def test_a_folder_is_named_when_what_lies_in_it_decides_whether_it_is_entered(tmp_path: Path) -> None:
    for name in ("inner", "venv", ".hidden", "_draft", "__pycache__", "node_modules", "kept"):
        Notebook.write(tmp_path / name / "a.ipynb", [STAGE])
    (tmp_path / "inner" / "dataproduct.yaml").write_text("")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")

    assert looked_at(tmp_path) == {".", "inner", "venv"}


def test_folders_of_a_package_are_named_though_no_notebook_is_looked_for_in_them(tmp_path: Path) -> None:
    Notebook.write(tmp_path / "a.ipynb", [f"import _lib.one\n{STAGE}"])
    (tmp_path / "_lib").mkdir()
    (tmp_path / "_lib" / "one.py").write_text("")

    assert looked_at(tmp_path) == {".", "a.ipynb", "_lib", "_lib/one.py"}
