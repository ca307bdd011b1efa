"""Other people's programs as clients of warm kernels, none of them modified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbdataops.kernel.cold import recorded
from tests.kernel.conftest import servers  # noqa: F401 - a fixture
from tests.kernel.kernels import Servers

CELLS = (
    "import sys\nprint('preloaded' if 'pandas' in sys.modules else 'not preloaded')",
    "import pandas as pd\npd.DataFrame({'a': [1, 2]}).a.sum()",
    "print(6 * 7)",
)


def notebook(path: Path, *cells: str, outputs: list[list[dict[str, object]]] | None = None) -> Path:
    """A notebook of code cells for the kernelspec `nbdataops`, with outputs if given."""
    made = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": cell,
         "execution_count": n + 1 if outputs else None, "outputs": outputs[n] if outputs else []}
        for n, cell in enumerate(cells)
    ]  # fmt: skip
    spec = {"display_name": "nbdataops", "language": "python", "name": "nbdataops"}
    path.write_text(
        json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


def printed(path: Path) -> list[str]:
    """What the cells of an executed notebook show as text."""
    cells = json.loads(path.read_text())["cells"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    return ["".join(o.get("text", o.get("data", {}).get("text/plain", ""))).strip() for o in outputs]


@pytest.fixture
def run(servers: Servers, tmp_path: Path) -> Iterator[Callable[..., str]]:  # noqa: F811
    """Run a program of this environment in an empty folder; at the end no kernel may have started cold."""
    before = recorded(servers.folder)

    def one(*command: str) -> str:
        names = ("PYTEST_CURRENT_TEST", "NBDATAOPS_KERNELS")
        environment = {k: v for k, v in os.environ.items() if k not in names} | servers.variables
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    yield one
    assert recorded(servers.folder) == before
