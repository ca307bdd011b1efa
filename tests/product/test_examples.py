"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nbdataops.product

MODULES = [m.name for m in pkgutil.iter_modules(nbdataops.product.__path__, "nbdataops.product.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
