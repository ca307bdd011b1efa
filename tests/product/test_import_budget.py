"""What reading notebooks imports: nothing heavy, since the no-op path and kernels pay for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.product.written import IMPORT, parameters, write_notebook

HEAVY = (
    "pydantic",
    "yaml",
    "nbformat",
    "IPython",
    "papermill",
    "duckdb",
    "numpy",
    "pandas",
    "pyarrow",
    "sqlalchemy",
)


def imported(code: str) -> set[str]:
    """Which heavy packages a fresh interpreter has after running the code."""
    report = f"{code}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["notebook", "parameters", "graph", "durations", "modules"])
def test_importing_a_module_imports_nothing_heavy(module: str) -> None:
    assert imported(f"import nbdataops.product.{module}") == set()


def test_the_declaration_needs_pydantic_and_yaml_and_no_more() -> None:
    assert imported("import nbdataops.product.spec") == {"pydantic", "yaml"}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ('stage.read("a")', set()),
        ('%matplotlib inline\nstage.read("a")', set()),
        ('!ls\nstage.read("a")', {"IPython"}),
        ('stage.sql("select 1")', {"duckdb"}),
    ],
)
def test_reading_a_notebook_imports_only_what_it_needs(tmp_path: Path, cell: str, expected: set[str]) -> None:
    write_notebook(tmp_path, "a", IMPORT, parameters("x: int = 1"), cell)

    code = f"from pathlib import Path\nfrom nbdataops.product.notebook import *\nfind_notebooks(Path({str(tmp_path)!r}))"

    assert (
        imported(code) & {"IPython", "duckdb", "pydantic", "yaml", "nbformat", "papermill", "sqlalchemy"}
        == expected
    )
