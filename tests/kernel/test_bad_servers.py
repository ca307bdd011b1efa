"""Servers that do not do what they should, or never get so far: a cold start with a reason, and no hang."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdataops.kernel import frames, provisioner, starting
from nbdataops.kernel.cold import recorded
from nbdataops.kernel.lease import Lease
from nbdataops.kernel.server_key import KernelCommand, ServerKey
from nbdataops.kernel.status import statuses, stop
from tests.conftest import Notebook
from tests.kernel.conftest import REPOSITORY
from tests.kernel.environments import Environment
from tests.kernel.kernels import Running, Servers, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


@contextlib.contextmanager
def impostor(folder: Path, behaviour: Callable[[socket.socket], Any]) -> Iterator[None]:
    """Something else that listens where the server of the kernelspec `bare` would."""
    spec = json.loads((REPOSITORY / "kernels" / "nbdataops" / "kernel.json").read_text())
    command = KernelCommand.of([sys.executable, *spec["argv"][1:]])
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    path = folder / f"{ServerKey.of(command, ['numpy'], environment).name}.sock"
    folder.mkdir(mode=0o700, exist_ok=True)
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    held.append(connection)
                    behaviour(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in held:
        connection.close()
    path.unlink()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (lambda connection: None, "did not answer"),
        (lambda connection: connection.close(), "did not answer|cannot be asked"),
        (lambda connection: connection.sendall(b"\xff" * 64), "did not answer"),
        (lambda connection: frames.send(connection, {"refused": {"why": "the fork server cannot fork: no"}}), "cannot fork"),
        (lambda connection: frames.send(connection, {"exit": 1}), "ended before it was ready"),
    ],
    ids=["silent", "hangs up", "no frame", "refuses", "the kernel dies"],
)  # fmt: skip
def test_a_server_that_gives_no_kernel_means_a_cold_start_with_a_reason(
    alone: Servers,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Callable[[socket.socket], Any],
    reason: str,
) -> None:
    import re

    monkeypatch.setattr(provisioner, "READY_S", 0.3)
    with impostor(alone.folder, behaviour):
        kernel = start(expect_warm=False)

        assert kernel.run("print(1)").out == "1\n"
        assert re.search(reason, str(kernel.cold_reason))
        assert re.search(reason, recorded(alone.folder)[-1].reason)


def test_a_server_that_hangs_is_waited_for_once(
    alone: Servers, start: Start, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    launched = Lease.launched

    async def counted(self: Lease, timeout_s: float) -> dict[str, Any]:
        waits.append(timeout_s)
        return await launched(self, 0.5)

    monkeypatch.setattr(Lease, "launched", counted)
    os.kill(server, signal.SIGSTOP)
    try:
        kernel = start(expect_warm=False)
    finally:
        os.kill(server, signal.SIGCONT)

    assert kernel.run("print(1)").out == "1\n"
    assert kernel.cold_reason == "the fork server did not answer"
    assert len(waits) == 1
    assert wait_for(lambda: [s["kernels"] for s in statuses(alone.folder)] == [[]])  # of what it was asked


def test_a_server_that_cannot_fork_says_so_and_serves_on(alone: Servers, start: Start, server: int) -> None:
    """The number of processes is limited for the server alone; root is exempt, so its capability is taken, too."""
    [frame] = [s for s in statuses(alone.folder) if s["pid"] == server]
    assert frame["forks"] >= 1
    code = (
        "import os, sys\nfrom nbdataops.kernel import server\n"
        "def fork():\n    if FORKS: raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "    return real()\nreal, FORKS = os.fork, []\n"
        "from nbdataops.kernel import fork_server\n"
        "serve = fork_server.ForkServer.serve\n"
        "def then(self):\n    FORKS.append(1)\n    serve(self)\n"
        "fork_server.ForkServer.serve = then\nos.fork = fork\nsys.exit(server.main(sys.argv[1:]))"
    )
    stop(alone.folder, kernels=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbdataops.kernel.starting.PROGRAM", code)

        kernels = [start(expect_warm=False), start(expect_warm=False)]

    assert [k.run("print(1)").out for k in kernels] == ["1\n", "1\n"]
    assert all("cannot fork" in str(k.cold_reason) for k in kernels)
    assert [s["forks"] for s in statuses(alone.folder)] == [0]


def test_a_module_whose_import_takes_too_long_is_left_to_the_kernel(
    alone: Servers, start: Start, tmp_path: Path
) -> None:
    """It waits without end, and catches what it can; the others are preloaded all the same."""
    environment = Environment(tmp_path / "env", alone)
    environment.install("quick", "HERE = True")
    environment.install("waits", "import time\ntry:\n    time.sleep(600)\nexcept Exception:\n    pass")
    code = "from nbdataops.kernel import preloading; preloading.IMPORT_S = 0.5; " + starting.PROGRAM
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "PROGRAM", code)
        patch.setattr("nbdataops.kernel.server.PROGRAM", code)

        kernel = start(environment.kernelspec(["waits", "quick"]))

    [server] = statuses(alone.folder)
    assert (
        kernel.run("import sys\nprint('quick' in sys.modules, 'waits' in sys.modules)").out == "True False\n"
    )
    assert server["excluded"]["waits"] == "importing it takes longer than 0.5 s"


def test_a_server_that_hangs_while_it_loads_is_given_up_and_ends_itself(
    alone: Servers, tmp_path: Path
) -> None:
    """Nothing interrupts it: its program waits in the kernel's own code, all signals blocked."""
    from nbdataops.kernel.cold import NotWarmError
    from nbdataops.kernel.runtime_folder import runtime_folder
    from nbdataops.kernel.starting import server_connection

    environment = Environment(tmp_path / "env", alone)
    environment.install(
        "hangs",
        "import ctypes, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "ctypes.PyDLL(None).sleep(600)",
    )
    command = KernelCommand.of(
        [str(environment.root / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "k"]
    )
    code = "from nbdataops.kernel import server; server.START_S = 3.0; " + starting.PROGRAM
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "PROGRAM", code)
        with pytest.raises(NotWarmError, match=r"takes too long to load|ended while it was loading"):
            server_connection(
                runtime_folder(), ServerKey.of(command, ["hangs"], os.environ), os.environ, 9.0, 3.0
            )

    assert wait_for(lambda: not alone.processes())
    [log] = alone.folder.glob("*.log")
    assert "hangs/__init__.py" in log.read_text()


@pytest.mark.parametrize("client", ["papermill", "nbconvert"])
def test_a_client_that_is_interrupted_while_its_fork_server_loads_ends(
    alone: Servers, tmp_path: Path, client: str
) -> None:
    source = Notebook.write(tmp_path / "in.ipynb", ["1"]).path
    command = {
        "papermill": ["papermill", "-k", "bare", str(source), "out.ipynb"],
        "nbconvert": ["nbconvert", "--execute", "--to", "notebook", "--output", "out", str(source),
                      "--ExecutePreprocessor.kernel_name=bare"],
    }[client]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        server = wait_for(alone.processes)[0].pid
        os.kill(server, signal.SIGSTOP)  # it is not through in time by chance
        try:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)  # it would wait for the server twice as long
        finally:
            os.kill(server, signal.SIGKILL)
            process.kill()

    assert code != 0
