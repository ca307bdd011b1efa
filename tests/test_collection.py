"""No test is left out unnoticed: pytest looks into every folder of ours, whatever it is called."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_no_folder_of_tests_or_of_the_package_is_passed_over(pytestconfig: pytest.Config) -> None:
    files = [file for top in ("tests", "nbdataops") for file in (ROOT / top).rglob("*.py")]
    folders = {folder for file in files for folder in file.relative_to(ROOT).parents if folder.name}

    passed_over = {
        f"{folder}, by {pattern}"
        for folder in folders
        for pattern in pytestconfig.getini("norecursedirs")
        if fnmatch(folder.name, pattern)
    }

    assert Path("tests/build") in folders
    assert passed_over == set()
