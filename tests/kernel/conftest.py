"""Fork servers of the tests' own: a short folder for sockets, kernelspecs that name it, and nothing left at the end."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.kernels import Running, Servers

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The runtime folder of this session's servers, and a Jupyter path with the kernelspecs `nbdataops` (as shipped)
    and `bare` (preloads numpy alone, so that its server is there sooner)."""
    home = Path(tempfile.mkdtemp(prefix="nbdk-"))
    shutil.copytree(REPOSITORY / "kernels", home / "jupyter" / "kernels")
    spec = json.loads((home / "jupyter" / "kernels" / "nbdataops" / "kernel.json").read_text())
    spec["metadata"]["kernel_provisioner"]["config"]["preload"] = ["numpy"]
    (home / "jupyter" / "kernels" / "bare").mkdir()
    (home / "jupyter" / "kernels" / "bare" / "kernel.json").write_text(json.dumps(spec))
    made = Servers(home)
    yield made
    made.stop()
    assert made.left() == [], "a fork server or a kernel outlived the tests"
    shutil.rmtree(home)


@pytest.fixture
def warm(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """`servers`, with this process's environment set up as a client of them."""
    for name, value in servers.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NBDATAOPS_KERNELS", raising=False)
    return servers


@pytest.fixture
def alone(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """A runtime folder for one test, which may break its servers; this process is a client of them."""
    home = Path(tempfile.mkdtemp(prefix="nbdk-"))
    shutil.copytree(servers.home / "jupyter", home / "jupyter")
    mine = Servers(home)
    for name, value in mine.variables.items():
        monkeypatch.setenv(name, value)
    yield mine
    mine.stop()
    assert mine.left() == []
    shutil.rmtree(home)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Running]]:
    """Start kernels as a client does, of `alone` if the test has it; all of them end with the test."""
    if "alone" not in request.fixturenames:
        request.getfixturevalue("warm")
    started: list[Running] = []

    def one(spec: str = "bare", expect_warm: bool = True, **launch: Any) -> Running:
        environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        launch["env"] = environment | launch.pop("env", {})
        kernel = Running.start(spec, **launch)
        started.append(kernel)
        if expect_warm:
            assert kernel.cold_reason is None, kernel.cold_reason
        return kernel

    yield one
    for kernel in started:
        kernel.close()


@pytest.fixture
def server(alone: Servers, start: Callable[..., Running]) -> int:
    """The process id of a server that has served a kernel."""
    start().close()
    [pid] = [s["pid"] for s in statuses(alone.folder)]
    return int(pid)
