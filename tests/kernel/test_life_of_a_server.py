"""Fork servers among clients: races, orders, other users, other systems, and their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.kernel import frames, provisioner, status
from nbdataops.kernel.status import statuses, stop
from tests.kernel.kernels import Running, Servers, descriptors, is_alive, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


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
    alone: Servers, start: Start, tmp_path: Path
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
    request = Request(
        str(tmp_path / "kernel.json"), (), sys.executable, dict(os.environ), "/", Handed.of_this_process()
    )
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


def test_stop_misses_no_server_that_begins_to_listen_while_it_looks(
    alone: Servers, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that load and servers that listen are looked for one after the other; this one comes in between."""
    begun: list[Running] = []

    def then_one_begins(look: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
        def looked(*given: Any) -> list[Any]:
            found = list(look(*given))
            if not begun:
                begun.append(start())
            return found

        return looked

    for look in ("_ask", "_end_those_that_load"):
        monkeypatch.setattr(status, look, then_one_begins(getattr(status, look)))

    said = status.stop(alone.folder, kernels=True)

    assert [len(server["kernels"]) for server in said] == [1]
    assert wait_for(lambda: not alone.processes())
