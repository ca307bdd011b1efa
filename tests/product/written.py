"""Products and notebooks for tests, written from a few words."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from nbdataops.product.notebook import NotebookStage, read_notebook

IMPORT = "from nbdataops import stage"


def code(source: str, *tags: str) -> dict[str, Any]:
    """A code cell."""
    metadata: dict[str, Any] = {"tags": list(tags)} if tags else {}
    lines = textwrap.dedent(source).strip("\n").splitlines(keepends=True)
    return {
        "cell_type": "code",
        "metadata": metadata,
        "source": lines,
        "outputs": [],
        "execution_count": None,
    }


def markdown(source: str) -> dict[str, Any]:
    """A markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def parameters(source: str) -> dict[str, Any]:
    """A parameters cell."""
    return code(source, "parameters")


def write_notebook(root: Path, name: str, *cells: dict[str, Any] | str, **extra: Any) -> Path:
    """A notebook of these cells (a text is a code cell) at `<root>/<name>.ipynb`."""
    path = root / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
        "cells": [code(c) if isinstance(c, str) else c for c in cells],
    }
    path.write_text(json.dumps(whole | extra), encoding="utf-8")
    return path


def stage_of(root: Path, *cells: dict[str, Any] | str, name: str = "methods/one") -> NotebookStage:
    """The stage that these cells make, after a first cell that imports `stage`."""
    found = read_notebook(root, write_notebook(root, name, IMPORT, *cells))
    assert found is not None
    return found


PRODUCT = """\
product: tiny-ltv
metric:
  name: ltv
  entity: customer_id
  population: {table: rfm, cohort: cohort}
  value: revenue
  unit: USD
  components: {transactions: count of distinct days}
  time_unit: week
  horizon: 39
  primary: methods/naive
as_of: 1997-09-30
sources:
  orders: {path: data/orders.csv, event_time: date}
"""


def write_product(root: Path, text: str = "", *, base: str = PRODUCT) -> Path:
    """`dataproduct.yaml` with the least that is needed, and `text` below it."""
    (root / "dataproduct.yaml").write_text(base + textwrap.dedent(text), encoding="utf-8")
    return root


def write_tiny_stages(root: Path) -> None:
    """Notebooks that fit PRODUCT: clean -> rfm -> naive, and an outcome."""
    write_notebook(
        root,
        "prepare/clean",
        IMPORT,
        'raw = stage.read("orders", columns=["customer_id", "date", "sales"])',
        'stage.write("purchases", raw, key=["customer_id", "date"], event_time="date")',
    )
    write_notebook(
        root,
        "prepare/rfm",
        IMPORT,
        'p = stage.read("purchases", columns=["amount"])\nstage.write("rfm", p, key="customer_id")',
    )
    write_notebook(
        root,
        "methods/naive",
        IMPORT,
        parameters("window: int = 13"),
        'now = stage.read("rfm", columns=["x"])\nstage.estimate(now, family="naive")',
    )
    write_notebook(
        root,
        "checks/outcome",
        IMPORT,
        'p = stage.sql("select customer_id, sum(amount) as value from purchases where date > $as_of group by 1")',
        "stage.outcome(p)",
    )
