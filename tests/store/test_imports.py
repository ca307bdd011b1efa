"""What a kernel pays for reading a snapshot."""

from __future__ import annotations

import subprocess
import sys


def test_reading_snapshots_imports_no_database_and_no_models() -> None:
    code = "import sys, nbdataops.store.snapshots; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert "pyarrow" in loaded
    assert not loaded & {"sqlalchemy", "pydantic", "yaml", "nbformat", "pandas", "duckdb"}
