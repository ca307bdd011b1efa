"""What breaks around a warm kernel is defined: no hang, no orphan, and a kernel in the end wherever one can be had."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.kernel import frames, provisioner, starting
from nbdataops.kernel.cold import recorded
from nbdataops.kernel.lease import UNKNOWN_EXIT, Lease
from nbdataops.kernel.server_key import KernelCommand, ServerKey
from nbdataops.kernel.status import statuses, stop
from tests.kernel.conftest import REPOSITORY
from tests.kernel.environments import Environment
from tests.kernel.kernels import PATIENCE_S, Running, Servers, descriptors, is_alive, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


@pytest.fixture
def server(alone: Servers, start: Start) -> int:
    """The process id of a server that has served a kernel."""
    start().close()
    [pid] = [s["pid"] for s in statuses(alone.folder)]
    return int(pid)


# ------------------------------------------------------------------ killed
def test_kernels_outlive_a_server_that_is_killed_and_the_next_one_comes_from_another(
    alone: Servers, start: Start, server: int
) -> None:
    kernel = start()
    kernel.run("x = 41")
    os.kill(server, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(server))

    other = start()

    assert kernel.manager.is_alive()
    assert kernel.run("print(x + 1)").out == "42\n"
    assert [s["pid"] for s in statuses(alone.folder)] != [server]
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=PATIENCE_S)
    assert kernel.run("print('x' in globals())").out == "False\n"
    assert other.run("print(1)").out == "1\n"


def test_the_end_of_a_kernel_is_seen_without_its_server(start: Start, server: int) -> None:
    kernel = start()
    process = kernel.manager.provisioner.process  # type: ignore[union-attr]
    os.kill(server, signal.SIGKILL)

    kernel.client.execute("import os\nos._exit(3)")

    assert process.wait(PATIENCE_S) == UNKNOWN_EXIT
    assert not kernel.manager.is_alive()


def test_a_kernel_ends_when_its_server_and_then_its_client_are_gone(start: Start, server: int) -> None:
    kernel = start()
    child = int(kernel.run("import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)").out)
    kernel.client.execute("while True: pass")
    os.kill(server, signal.SIGKILL)

    kernel.manager.provisioner.process.close()  # type: ignore[union-attr]  # as the end of the client does

    assert wait_for(lambda: not is_alive(kernel.pid) and not is_alive(child))
    kernel.manager.provisioner.process = None  # type: ignore[union-attr]


def test_standbys_end_with_a_server_that_is_killed(alone: Servers, server: int) -> None:
    standby = wait_for(lambda: statuses(alone.folder)[0]["standbys"])[0]

    os.kill(server, signal.SIGKILL)

    assert wait_for(lambda: not is_alive(standby))


def test_what_a_killed_server_and_its_kernels_left_is_removed_by_the_next(
    alone: Servers, start: Start, server: int
) -> None:
    kernel = start()
    os.kill(server, signal.SIGKILL)
    os.kill(kernel.pid, signal.SIGKILL)
    assert wait_for(lambda: not alone.processes())
    left = {p.name for p in alone.folder.iterdir() if p.name.startswith("k")}
    assert left
    kernel.manager.provisioner.process = None  # type: ignore[union-attr]  # its client is gone, too

    start()

    assert left & {p.name for p in alone.folder.iterdir()} == set()


def test_a_server_that_is_killed_while_it_loads_costs_one_cold_start(
    alone: Servers, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = threading.Thread(
        target=lambda: os.kill(wait_for(lambda: alone.servers())[0].pid, signal.SIGKILL)
    )
    killer.start()

    kernel = start(expect_warm=False)

    killer.join()
    assert kernel.run("print(1)").out == "1\n"
    assert "ended while it was loading" in str(kernel.cold_reason)
    assert start().cold_reason is None


def test_a_client_that_is_killed_while_its_server_loads_leaves_a_server_for_the_next(
    alone: Servers, start: Start
) -> None:
    code = (
        "from jupyter_client.manager import KernelManager\nKernelManager(kernel_name='bare').start_kernel()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    client = subprocess.Popen([sys.executable, "-c", code], env=environment)
    [loading] = wait_for(alone.servers)
    session = os.getsid(loading.pid)
    client.kill()
    client.wait()

    kernel = start()

    assert os.getsid(psutil.Process(kernel.pid).ppid()) == session
    assert [s["kernels"][0]["pid"] for s in statuses(alone.folder)] == [kernel.pid]


# ------------------------------------------------------------------ servers that do not do what they should
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


# ------------------------------------------------------------------ out of descriptors
def test_a_server_without_descriptors_serves_again_when_it_has_some(
    alone: Servers, start: Start, server: int
) -> None:
    _, hard = resource.prlimit(server, resource.RLIMIT_NOFILE)
    used = descriptors(server)
    for spare in range(8):
        resource.prlimit(server, resource.RLIMIT_NOFILE, (used + spare, hard))
        kernel = start(expect_warm=False)

        assert kernel.run("print(1)").out == "1\n"
        kernel.close()
    resource.prlimit(server, resource.RLIMIT_NOFILE, (hard, hard))

    assert start().run("print(2)").out == "2\n"
    assert [s["pid"] for s in statuses(alone.folder)] == [server]


CLIENTS_WITHOUT_DESCRIPTORS = """if True:
    import os, resource, sys
    from jupyter_client.manager import KernelManager
    manager = KernelManager(kernel_name="bare")
    manager.kernel_spec
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [open(os.devnull) for _ in range(100)]  # the limit is also that of the kernels, which could not live with less
    for spare in (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 1000):
        child = os.fork()  # libzmq ends a process that has no descriptor left for it, kernel or not
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1 + spare, hard))
            said = "no kernel"
            try:
                manager.start_kernel(stdout=2)
                said = "warm" if manager.provisioner.cold_reason is None else "cold"
            finally:
                os.write(1, f"{spare} {said}\\n".encode())
                os._exit(0)
        os.waitpid(child, 0)
"""


def test_clients_without_descriptors_leave_no_orphan(alone: Servers, start: Start, server: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENTS_WITHOUT_DESCRIPTORS],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert said["0"] == "no kernel"
    assert said["1000"] == "warm"
    assert wait_for(lambda: [s["kernels"] for s in statuses(alone.folder)] == [[]])
    assert start().cold_reason is None


def test_a_limit_under_which_no_kernel_can_live_is_said_before_one_is_started(
    alone: Servers, start: Start
) -> None:
    """ipykernel hangs or aborts there, and would outlive its client."""
    code = (
        "import resource\nfrom jupyter_client.manager import start_new_kernel\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "try:\n    start_new_kernel(kernel_name='bare')\nexcept OSError as error:\n    print(error.strerror)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stdout == "a kernel needs 64 open files; this process may have 40 (ulimit -n)\n", done.stderr
    assert alone.left() == []


# ------------------------------------------------------------------ imports that do not end
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


# ------------------------------------------------------------------ full folders
def in_a_full(folder: str, code: str, environment: dict[str, str]) -> str:
    """What a client prints that runs where `folder` is a full file system."""
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user cannot mount")
    script = f'mount -t tmpfs -o size=64k none {folder} && head -c 1M /dev/zero > {folder}/full; exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, code],
        env={k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"} | environment,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


ONE_KERNEL = """if True:
    from jupyter_client.manager import start_new_kernel
    manager, client = start_new_kernel(120, "bare")
    client.execute_interactive("print(6 * 7)", timeout=120)
    print(manager.provisioner.cold_reason)
    client.stop_channels()
    manager.shutdown_kernel()
"""


def test_a_full_dev_shm_means_a_cold_start(alone: Servers) -> None:
    said = in_a_full("/dev/shm", ONE_KERNEL, alone.variables)

    assert said.startswith("42\n")
    assert "are free in /dev/shm" in said


def test_a_full_temporary_folder_means_another_one(alone: Servers, tmp_path: Path) -> None:
    code = ONE_KERNEL.replace("6 * 7", "__import__('tempfile').gettempdir()")

    said = in_a_full(str(tmp_path), code, alone.variables | {"TMPDIR": str(tmp_path)})

    assert said.splitlines()[0] not in ("", str(tmp_path))


def test_a_full_runtime_folder_means_a_cold_start(alone: Servers) -> None:
    alone.folder.mkdir(mode=0o700)

    said = in_a_full(
        str(alone.folder), f"import os; os.chmod({str(alone.folder)!r}, 0o700)\n{ONE_KERNEL}", alone.variables
    )

    assert said.startswith("42\n")


# ------------------------------------------------------------------ races, orders, the end
def test_clients_that_come_at_once_start_one_server(alone: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from jupyter_client.manager import KernelManager\n"
        "m = KernelManager(kernel_name='bare'); m.start_kernel(); print(m.provisioner.cold_reason)\n"
        "import os; print(psutil_parent(m.provisioner.pid)); m.shutdown_kernel(now=True)"
    )
    code = "import psutil\npsutil_parent = lambda pid: psutil.Process(pid).ppid()\n" + code
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
    clients = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    said = [client.communicate(timeout=300)[0].split() for client in clients]

    assert [words[0] for words in said] == ["None"] * 4
    assert len({words[1] for words in said}) == 1


def test_a_server_without_kernels_ends_by_itself_and_leaves_nothing(alone: Servers, start: Start) -> None:
    folder = alone.home / "jupyter" / "kernels" / "bare"
    spec = json.loads((folder / "kernel.json").read_text())
    spec["metadata"]["kernel_provisioner"]["config"]["idle_s"] = 0.2
    (folder / "kernel.json").write_text(json.dumps(spec))

    kernel = start()
    assert kernel.run("print(1)").out == "1\n"
    kernel.close()

    assert wait_for(lambda: alone.left() == [])


def test_stop_lets_kernels_in_use_go_on_and_stop_now_does_not(
    alone: Servers, start: Start, server: int
) -> None:
    kernel = start()
    stop(alone.folder, kernels=False)
    assert kernel.run("print(1)").out == "1\n"
    assert is_alive(server)
    newer = start()
    assert [s["pid"] for s in statuses(alone.folder)] != [server]

    kernel.close()
    assert wait_for(lambda: not is_alive(server))
    stop(alone.folder, kernels=True)

    assert wait_for(lambda: not newer.manager.is_alive())
    assert wait_for(lambda: alone.left() == [])


def test_a_folder_that_does_not_exist_is_the_clients_error_as_ever(start: Start) -> None:
    with pytest.raises(FileNotFoundError):
        start(expect_warm=False, cwd="/there/is/no/such/folder")


def test_files_of_the_servers_are_for_this_user_alone(alone: Servers, server: int) -> None:
    modes = {p.name: p.stat().st_mode & 0o077 for p in [alone.folder, *alone.folder.iterdir()]}

    assert {name: mode for name, mode in modes.items() if mode and not name.startswith("k")} == {}


def test_no_process_of_another_user_is_served_or_asked(alone: Servers, server: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    [path] = alone.folder.glob("*.sock")
    for opened in (alone.home, alone.folder, path):
        opened.chmod(0o777)
    code = f"""if True:
        import os, socket
        os.setuid(65534)
        sock = socket.socket(socket.AF_UNIX)
        sock.connect({str(path)!r})
        sock.sendall(b"\\0\\0\\0\\x10" + b'{{"do": "status"}}')
        print(sock.recv(100))
    """
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        for opened in (alone.home, alone.folder):
            opened.chmod(0o700)

    assert done.stdout == "b''\n" or "ConnectionReset" in done.stderr or "BrokenPipe" in done.stderr, (
        done.stderr
    )
    assert [s["pid"] for s in statuses(alone.folder)] == [server]


def test_on_other_systems_the_same_kernelspec_starts_an_ordinary_kernel(
    alone: Servers, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioner, "off_reason", lambda: "warm kernels need Linux; this is darwin")

    kernel = start(expect_warm=False)

    assert kernel.run("print(6 * 7)").out == "42\n"
    assert kernel.manager.transport == "tcp"
    assert kernel.cold_reason == "warm kernels need Linux; this is darwin"
    assert not alone.servers()


def test_the_provisioner_is_imported_without_what_other_systems_lack() -> None:
    code = """if True:
        import sys, os
        for name in ("fcntl", "resource", "_posixsubprocess_"):
            sys.modules[name] = None
        import nbdataops.kernel.provisioner as p
        print(p.WarmProvisioner.__name__)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "WarmProvisioner\n", done.stderr


def test_nothing_is_left_of_many_short_kernels(alone: Servers, start: Start, server: int) -> None:
    before = descriptors(server)

    for _ in range(10):
        start().close()

    assert wait_for(lambda: [s["kernels"] for s in statuses(alone.folder)] == [[]])
    assert wait_for(lambda: [len(s["standbys"]) for s in statuses(alone.folder)] == [1])
    assert descriptors(server) <= before + 2  # a standby's
    assert [c for c in psutil.Process(server).children() if c.status() == psutil.STATUS_ZOMBIE] == []


def test_a_signal_to_a_kernel_that_has_just_been_forked_does_not_end_the_server(
    alone: Servers, start: Start
) -> None:
    """It has the server's handlers still, and would wake the server with the signal: here for a long moment."""
    from nbdataops.kernel.circumstances import Handed
    from nbdataops.kernel.forked_kernel import Request
    from nbdataops.kernel.runtime_folder import connect

    code = (
        "import sys, time\nfrom nbdataops.kernel import forked_process, server\n"
        "real = forked_process.own_signals\n"
        "forked_process.own_signals = lambda: (time.sleep(0.5), real())\n"
        "sys.exit(server.main(sys.argv[1:]))"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbdataops.kernel.starting.PROGRAM", code)
        start().close()
    [path], [before] = alone.folder.glob("*.sock"), statuses(alone.folder)
    request = Request("/nowhere/kernel.json", (), dict(os.environ), "/", Handed.of_this_process())
    connection = connect(path)
    assert connection is not None
    launch = {"do": "launch", "sockets": None, "standbys": 1, "adopt": False}
    frames.send(connection, request.to_frame() | launch, [0, 1, 2])
    connection.close()

    assert wait_for(
        lambda: [s["forks"] > before["forks"] and s["kernels"] == [] for s in statuses(alone.folder)]
    )
    assert [s["pid"] for s in statuses(alone.folder)] == [before["pid"]]
    assert start().cold_reason is None
