"""A kernel that lost some of what a cell printed is not told as a cell that took too long."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_code_cell

from nbdataops.build.executors.notebook import _Watch


@pytest.mark.parametrize(
    ("message", "said"),
    [("Timeout waiting for IOPub output", "not all"), ("Cell execution timed out", "longer than 30 s")],
)
def test_a_timeout_is_told_by_what_was_waited_for(tmp_path: Path, message: str, said: str) -> None:
    job: Any = SimpleNamespace(
        redact=(), stage="model", limits=SimpleNamespace(cell_timeout_s=30), output=tmp_path / "model.ipynb"
    )
    cancel: Any = SimpleNamespace(event=threading.Event())
    watch = _Watch(job, cancel, lambda: None)  # type: ignore[arg-type, return-value]
    error = CellTimeoutError.error_from_timeout_and_cell(message, 30, new_code_cell("1"))

    assert said in str(watch.explain(error, ""))
