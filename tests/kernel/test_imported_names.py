"""The preload list is read from notebooks, and nothing is executed for it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from nbdataops.kernel.imported_names import STAGE_CALLS, USUAL, imported_names, notebook_sources, preload_for
from nbdataops.kernel.third_party import Installed

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import pandas as pd, numpy", {"pandas", "numpy"}),
        ("from a.b import c, d as e", {"a.b.c", "a.b.d"}),
        ("from a import *", {"a"}),
        ("from . import x\nfrom .y import z", set()),
        ("def f():\n    try:\n        import late\n    except ImportError:\n        pass", {"late"}),
        ("%pip install x\n!ls\nimport a", {"a"}),
        ("x = 'import not_this'\n# import nor_this", set()),
        ("import a\nthis is no Python\nimport b", {"a", "b"}),
        ("", set()),
    ],
)
def test_names_of_a_source(source: str, names: set[str]) -> None:
    assert set(imported_names([source])) == names


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"cells": 1}', '{"cells": [{"cell_type": "code"}]}'])
def test_what_is_no_notebook_has_no_sources(text: str) -> None:
    assert list(notebook_sources(text)) == []


def test_a_products_list_has_what_its_notebooks_and_modules_import(tmp_path: Path) -> None:
    def write(path: str, source: str) -> None:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        cells = [
            {"cell_type": "code", "source": source},
            {"cell_type": "markdown", "source": "import not_code"},
        ]
        text = source if path.endswith(".py") else json.dumps({"cells": cells})
        (tmp_path / path).write_text(text)

    write("methods/a.ipynb", "import polars, json")
    write("lib/features.py", "from xgboost import XGBRegressor")
    write(".hidden/b.ipynb", "import hidden")
    write("methods/Untitled1.ipynb", "import untitled")

    assert set(preload_for(tmp_path)) - set(USUAL) == {"polars", "xgboost.XGBRegressor"}


def test_the_shipped_list_has_every_package_that_the_reference_products_import() -> None:
    """Of third-party packages; those that must not be preloaded are excluded by the server, with a reason."""
    spec = json.loads((REPOSITORY / "kernels" / "nbdataops" / "kernel.json").read_text())
    shipped = spec["metadata"]["kernel_provisioner"]["config"]["preload"]
    tops = {name.partition(".")[0] for name in shipped}
    local = {p.stem for p in REPOSITORY.glob("notebooks/**/*.py")} | {"lib"}

    imported = {name.partition(".")[0] for name in preload_for(REPOSITORY / "notebooks")} - local

    assert imported - tops == set()


def test_what_the_stage_calls_import_when_they_are_used_is_preloaded(tmp_path: Path) -> None:
    """It takes longer to import than many a stage takes."""
    shipped = json.loads((REPOSITORY / "kernels" / "nbdataops" / "kernel.json").read_text())
    source = (REPOSITORY / "nbdataops" / "stage.py").read_text()
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    late = {
        node.module
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("nbdataops.session.")
    } - {"nbdataops.session.current"}  # comes with the others
    late.add("nbdataops.store.snapshots")  # of an assignment
    (tmp_path / "a.py").write_text("from nbdataops import stage")

    assert len(late) > 5
    assert late == {*STAGE_CALLS, "nbdataops.store.snapshots"}
    assert late <= set(preload_for(tmp_path))
    assert late <= set(shipped["metadata"]["kernel_provisioner"]["config"]["preload"])


def test_a_module_is_found_without_importing_it() -> None:
    import sys

    installed = Installed.of_this_interpreter()
    sys.modules.pop("wheel", None)

    assert installed.module("sklearn.linear_model.Ridge") == "sklearn.linear_model"
    assert installed.module("jupyter_kernel_test.msgspec_v5") == "jupyter_kernel_test.msgspec_v5"
    assert installed.module("json") is None, "the standard library is no third-party package"
    assert installed.module("there_is_no_such_package") is None
    assert installed.module("nbdataops") is None or installed.owns(__import__("nbdataops").__file__)
