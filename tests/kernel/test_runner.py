"""The runner's stages in warm kernels, by a switch."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdataops.build.nodes import State
from nbdataops.kernel.cold import recorded
from nbdataops.kernel.status import statuses
from nbdataops.workspace import open_product
from tests.conftest import Notebook
from tests.kernel.kernels import Servers

pytestmark = pytest.mark.kernel


def test_stages_run_in_forked_kernels_when_the_switch_says_so(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBDATAOPS_KERNELS", "warm")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    Notebook(blank / "methods" / "rate.ipynb").append("import sys\nassert 'sklearn' in sys.modules")

    report = open_product(blank).build(["methods/rate"])

    assert [(n.state, n.error) for n in report.execution.nodes] == [(State.SUCCEEDED, None)] * 2
    assert recorded(alone.folder) == ()
    assert [s["forks"] >= 2 for s in statuses(alone.folder)] == [True]


def test_a_stage_in_a_forked_kernel_that_dies_or_takes_too_long_fails_as_ever(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBDATAOPS_KERNELS", "warm")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    read = 'from nbdataops import stage\nstage.read("orders", columns=["amount"])'
    Notebook.write(blank / "views" / "dies.ipynb", [read, "import os\nos._exit(1)"])
    Notebook.write(blank / "views" / "sleeps.ipynb", [read, "import time\ntime.sleep(600)"])

    died = open_product(blank).build(["views/dies"])
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text() + "execution: {stage_timeout_s: 5}\n")
    slept = open_product(blank).build(["views/sleeps"])

    errors = [n.error.code for r in (died, slept) for n in r.execution.failures if n.error is not None]
    assert errors == ["kernel", "timeout"]
    assert recorded(alone.folder) == ()
    assert [s["kernels"] for s in statuses(alone.folder)] == [[]]
