"""The project's own modules behind a notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdataops.errors import NotebookError
from nbdataops.product.modules import module_digest
from nbdataops.product.notebook import NotebookStage, read_notebook
from tests.product.written import IMPORT, write_notebook


def module(root: Path, name: str, source: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def stage_with(root: Path, imports: str) -> NotebookStage:
    found = read_notebook(root, write_notebook(root, "methods/a", IMPORT, imports, "stage.validate()"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ("import features", ["features.py"]),
        ("import features as f", ["features.py"]),
        ("from features import x", ["features.py"]),
        ("import lib.growth", ["lib/growth.py"]),
        ("from lib import growth", ["lib/growth.py"]),
        ("from lib.growth import rate", ["lib/growth.py"]),
        ("from lib.growth import *", ["lib/growth.py"]),
        ("import pack.inner", ["pack/__init__.py", "pack/inner.py"]),
        ("from pack import inner", ["pack/__init__.py", "pack/inner.py"]),
        ("def f():\n    import features", ["features.py"]),
        ("import importlib\nimportlib.import_module('lib.growth')", ["lib/growth.py"]),
        ("%%time\nimport features", ["features.py"]),
        ("import json, numpy, lib.missing", []),
        ("import data", []),
    ],
)
def test_imports_lead_to_files_of_the_product(tmp_path: Path, imports: str, expected: list[str]) -> None:
    for name in (
        "features.py",
        "lib/growth.py",
        "pack/__init__.py",
        "pack/inner.py",
        "data/orders.csv",
        "unused.py",
    ):
        module(tmp_path, name, "x = rate = 1")

    found = stage_with(tmp_path, imports)

    assert [name for name, _ in found.module_digests] == expected
    assert found.modules == tuple(tmp_path / name for name in expected)


def test_imports_are_followed_through_modules_also_relative_ones_and_rings(tmp_path: Path) -> None:
    module(tmp_path, "pack/__init__.py", "from . import one")
    module(tmp_path, "pack/one.py", "from .deep.two import x")
    module(tmp_path, "pack/deep/__init__.py")
    module(tmp_path, "pack/deep/two.py", "from ...pack import one\nfrom ..three import y\nimport last")
    module(tmp_path, "pack/three.py", "import json")
    module(tmp_path, "last.py", "import pack")

    found = stage_with(tmp_path, "import pack")

    names = [name for name, _ in found.module_digests]
    assert names == [
        "last.py",
        "pack/__init__.py",
        "pack/deep/__init__.py",
        "pack/deep/two.py",
        "pack/one.py",
        "pack/three.py",
    ]
    assert set(found.imports) == {"nbdataops", "pack", "last", "json"}


def test_a_module_changes_its_own_digest_and_not_that_of_the_notebook(tmp_path: Path) -> None:
    path = module(tmp_path, "features.py", "x = 1")
    before = stage_with(tmp_path, "import features")

    module(tmp_path, "features.py", '"""Features."""\nx = 1  # one')
    same = stage_with(tmp_path, "import features")
    module(tmp_path, "features.py", "x = 2")
    after = stage_with(tmp_path, "import features")

    assert same.module_digests == before.module_digests != after.module_digests
    assert after.code_digest == before.code_digest
    assert after.module_digests == (("features.py", module_digest(path)),)


def test_a_folder_called_nbdataops_does_not_hide_the_package(tmp_path: Path) -> None:
    module(tmp_path, "nbdataops/__init__.py", "from nbdataops import stage")

    assert stage_with(tmp_path, "import nbdataops").modules == ()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("from nbdataops import stage", 1),
        ("import json\nfrom nbdataops import stage as s", 2),
        ("import nbdataops.stage", 1),
        ("from nbdataops.stage import read", 1),
        ("import nbdataops\n\ndef f():\n    return nbdataops.stage.read('a')", 4),
        ("import nbdataops as n\nx = n.stage", 2),
    ],
)
def test_a_module_that_uses_stage_is_refused(tmp_path: Path, source: str, line: int) -> None:
    module(tmp_path, "lib/features.py", source)

    with pytest.raises(NotebookError, match="belongs to notebooks") as caught:
        stage_with(tmp_path, "import lib.features")

    assert str(caught.value).startswith(f"lib/features.py, line {line}: ")
    assert "return frames" in caught.value.todo


def test_a_module_may_use_the_rest_of_the_package(tmp_path: Path) -> None:
    module(
        tmp_path, "features.py", "from nbdataops.ltv import BGNBD\nimport nbdataops\nnbdataops.__version__"
    )

    assert len(stage_with(tmp_path, "import features").modules) == 1


@pytest.mark.parametrize("source", [b"x = (", b"x = 1\n\xff", b"x = '\0'"])
def test_a_module_that_is_no_python_is_refused(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "features.py").write_bytes(source)

    with pytest.raises(NotebookError, match="this module") as caught:
        stage_with(tmp_path, "import features")

    assert str(caught.value).startswith("features.py")
