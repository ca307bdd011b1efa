"""The same calls outside of a run: own dev, the last batch build, and building on demand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdataops.errors import UsageError
from nbdataops.session.current import forget
from nbdataops.workspace import Product
from tests.conftest import Notebook

Open = Callable[[], Product]


@pytest.fixture
def kernel(blank: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run cells as a new interactive kernel of a notebook would."""

    def run(notebook: str, *cells: str) -> dict[str, Any]:
        forget()
        path = blank / notebook
        monkeypatch.chdir(path.parent)
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for cell in cells:
            exec(cell, namespace)
        return namespace

    yield run
    forget()


READ = 'from nbdataops import stage\ntable = stage.read("customers", columns=["days", "total", "age"])'


def test_reads_come_from_the_last_batch_build_and_say_so(
    opened: Open, kernel: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    run = opened().run().execution.run
    capsys.readouterr()

    table = kernel("methods/rate.ipynb", READ)["table"]

    assert len(table) == 120
    assert f"customers: run {run}, as of 2026-01-04" in capsys.readouterr().out


def test_own_writes_are_read_by_the_next_notebook_but_never_by_a_run(
    opened: Open, kernel: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    before = opened().run()
    capsys.readouterr()
    kernel(
        "prepare/customers.ipynb",
        'from nbdataops import stage\norders = stage.read("orders", columns=["customer_id", "date", "amount"])',
        'mine = orders.groupby("customer_id", as_index=False).agg(days=("date", "nunique"), total=("amount", "sum"))',
        'stage.write("customers", mine.assign(first=mine["days"], cohort="x", age=1.0), key="customer_id")',
    )

    table = kernel("methods/rate.ipynb", READ)["table"]

    assert set(table["age"]) == {1.0}
    assert "customers: your dev" in capsys.readouterr().out
    product = opened()
    after = product.run()
    assert product.executor.executed == []  # type: ignore[attr-defined]
    assert after.candidate.digest == before.candidate.digest


def test_the_scope_is_that_of_the_parameters_cell(
    opened: Open, blank: Path, kernel: Callable[..., dict[str, Any]]
) -> None:
    notebook = Notebook(blank / "methods" / "rate.ipynb")
    notebook.replace(
        "horizon: int = 13", "from datetime import date\nas_of: date = date(2025, 10, 5)\nhorizon: int = 13"
    )
    opened().run()

    parameters = "from datetime import date\nas_of: date = date(2025, 10, 5)\nhorizon: int = 13"
    seen = kernel("methods/rate.ipynb", parameters, READ, "at, h = stage.as_of, stage.horizon")

    assert str(seen["at"]) == "2025-10-05"
    assert seen["h"] == 13
    assert seen["table"]["age"].max() < 40


def test_an_estimate_at_hand_is_judged_in_place_of_the_batch(
    opened: Open, kernel: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    opened().run()
    capsys.readouterr()

    kernel(
        "methods/rate.ipynb",
        READ,
        'mine = table[["customer_id"]].assign(value=100.0, transactions=2.0)',
        'stage.estimate(mine, family="naive")',
        "stage.validate()",
    )

    shown = capsys.readouterr().out
    assert "rate" in shown
    assert "average" in shown


def test_a_notebook_that_cannot_be_told_says_what_to_do(
    blank: Path, monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., dict[str, Any]]
) -> None:
    forget()
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir(blank)
    namespace: dict[str, Any] = {"__name__": "__main__"}

    with pytest.raises(UsageError) as refused:
        exec(READ, namespace)

    assert "stage.here(" in refused.value.todo


@pytest.mark.kernel
def test_a_table_that_is_not_built_is_built_on_demand(blank: Path) -> None:
    """In a process of its own, as a kernel is: with real kernels below it."""
    code = f"{READ}\nprint(len(table))"
    script = f'exec({code!r}, {{"__name__": "__main__"}})'
    environment = {"JPY_SESSION_NAME": str(blank / "methods" / "rate.ipynb")}

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=blank / "methods",
        env={**os.environ, **environment},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "prepare/customers@2026-01-04 is not built yet: building it" in done.stdout
    assert done.stdout.strip().endswith("120")
