"""The runner's stages in warm kernels."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from nbdataops.build.executors import notebook
from nbdataops.build.nodes import State
from nbdataops.build.runner import Runner
from nbdataops.errors import CancelledError
from nbdataops.kernel import starting
from nbdataops.kernel.cold import recorded
from nbdataops.kernel.lease import Lease
from nbdataops.kernel.provisioner import WarmProvisioner
from nbdataops.kernel.status import statuses
from nbdataops.workspace import open_product
from tests.conftest import Notebook
from tests.kernel.kernels import Servers

pytestmark = pytest.mark.kernel


def test_stages_run_in_forked_kernels_that_have_imported_what_the_product_imports(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Notebook(blank / "methods" / "rate.ipynb").append("import sys\nassert 'sklearn' in sys.modules")

    report = open_product(blank).build(["methods/rate"])

    assert [(n.state, n.error) for n in report.execution.nodes] == [(State.SUCCEEDED, None)] * 2
    assert recorded(alone.folder) == ()
    assert [s["forks"] >= 2 for s in statuses(alone.folder)] == [True]


def test_a_stage_in_a_forked_kernel_that_dies_or_takes_too_long_fails_as_ever(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_stage_starts_an_ordinary_kernel_where_there_can_be_no_forked_one(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBDATAOPS_KERNELS", "cold")

    report = open_product(blank).build(["methods/rate"])

    assert [(n.state, n.error) for n in report.execution.nodes] == [(State.SUCCEEDED, None)] * 2
    assert statuses(alone.folder) == []
    assert {start.reason for start in recorded(alone.folder)} == {"NBDATAOPS_KERNELS=cold"}


def test_a_stage_whose_time_is_up_before_its_kernel_is_there_is_stopped_all_the_same(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 'from nbdataops import stage\nstage.read("orders", columns=["amount"])'
    Notebook.write(blank / "views" / "sleeps.ipynb", [read, "import time\ntime.sleep(600)"])
    open_product(blank).build(["prepare/customers"])  # now the fork server is there
    spec = blank / "dataproduct.yaml"
    spec.write_text(spec.read_text() + "execution: {stage_timeout_s: 1}\n")
    expired = threading.Event()
    launched = Lease.launched

    async def late(self: Lease, timeout_s: float) -> Any:
        """The kernel has been forked by then, and its client does not know it yet."""
        await asyncio.to_thread(expired.wait, 60)
        return await launched(self, timeout_s)

    expire = notebook._Watch._expire
    monkeypatch.setattr(Lease, "launched", late)
    monkeypatch.setattr(notebook._Watch, "_expire", lambda watch: (expire(watch), expired.set()))

    report = open_product(blank).build(["views/sleeps"])

    assert [n.error.code for n in report.execution.failures if n.error is not None] == ["timeout"]
    assert [s["kernels"] for s in statuses(alone.folder)] == [[]]


def test_a_stage_that_still_waits_for_its_fork_server_is_cancelled_at_once(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server never gets to serve: a test that waited for it would end by its timeout."""
    waits = threading.Event()
    answer = starting._answer

    def never(reading: int, deadline: float, given_up: threading.Event) -> dict[str, object]:
        waits.set()
        nothing, writing = os.pipe()
        try:
            return answer(nothing, deadline, given_up)
        finally:
            os.close(nothing)
            os.close(writing)

    monkeypatch.setattr(starting, "_answer", never)
    product = open_product(blank)
    runner: list[Runner] = []
    enter = Runner.__enter__
    monkeypatch.setattr(Runner, "__enter__", lambda self: (runner.append(self), enter(self))[1])
    canceller = threading.Thread(target=lambda: (waits.wait(60), runner[0].cancel.cancel()))
    canceller.start()

    with pytest.raises(CancelledError):
        product.build(["prepare/customers"])

    canceller.join()
    assert {n["state"] for n in product.status().nodes} == {"cancelled"}
    assert recorded(alone.folder) == (), "no ordinary kernel was started instead"


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("how", ["fork fails", "dies first"])
def test_a_kernel_that_does_not_start_is_started_once_more(
    alone: Servers, blank: Path, monkeypatch: pytest.MonkeyPatch, how: str, times: int
) -> None:
    launch = WarmProvisioner.launch_kernel
    failures = 0

    async def bad(self: WarmProvisioner, cmd: list[str], **kwargs: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures <= times and how == "fork fails":
            raise BlockingIOError(11, "Resource temporarily unavailable")
        info = await launch(self, cmd, **kwargs)
        if failures <= times:
            os.kill(self.pid, signal.SIGKILL)
        return info

    monkeypatch.setattr(WarmProvisioner, "launch_kernel", bad)

    report = open_product(blank).build(["prepare/customers"])

    (node,) = report.execution.nodes
    assert failures == 2
    assert node.state is (State.SUCCEEDED if times == 1 else State.FAILED)
    assert [s["kernels"] for s in statuses(alone.folder)] in ([], [[]])
