"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name", ["words", "svg", "charts", "selection", "about_run", "notebooks", "panel_data"]
)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"nbdataops.report.{name}")).failed == 0
