"""Commands in forked processes: signals reach them as they reach an ordinary process, and nothing outlives its client."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from nbdataops.kernel.forked_command import _run
from nbdataops.kernel.status import statuses, stop
from tests.kernel.commands import code
from tests.kernel.kernels import Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel

WAITS = "import os, signal, sys\nprint(os.getpid(), flush=True)\n"
POLITE = (
    "def stop(n, _):\n    os.write(1, b'told %d\\n' % n); sys.exit(128 + n)\n"
    "for n in (1, 2, 3, 15): signal.signal(n, stop)\n"
    "print(os.getpid(), flush=True)\nwhile True: signal.pause()"
)
BUSY = WAITS + "while True: signal.pause()"


@pytest.fixture
def begun(servers: Servers) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    """Start a command that first prints its process id; (the client, that id)."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(source: str, of: Servers = servers, **how: object) -> tuple[subprocess.Popen[bytes], int]:
        process = code(of, source, **how)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        return process, int(line)

    yield begin
    for process in started:
        process.kill()
        process.communicate()


Begun = Callable[..., tuple[subprocess.Popen[bytes], int]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_to_the_client_reaches_the_command_which_decides(begun: Begun, number: int) -> None:
    process, _ = begun("import os, signal, sys\n" + POLITE)

    process.send_signal(number)

    assert process.communicate()[0] == b"told %d\n" % number
    assert process.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_command_that_a_signal_ends_lets_its_client_end_by_it(begun: Begun, number: int) -> None:
    process, pid = begun(BUSY)

    process.send_signal(number)
    said = process.communicate()[1]

    assert process.returncode == -number
    assert (b"KeyboardInterrupt" in said) == (number == signal.SIGINT)
    assert wait_for(lambda: not is_alive(pid))


def test_a_signal_that_the_client_ignores_the_command_ignores_too(begun: Begun) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    process, _ = begun(WAITS + "print(input(), signal.getsignal(1).name)", preexec_fn=ignore)

    process.send_signal(signal.SIGHUP)

    assert process.communicate(b"still here")[0] == b"still here SIG_IGN\n"


def test_it_stops_and_goes_on_with_its_client(begun: Begun) -> None:
    process, pid = begun(WAITS + "print(input())")
    stopped = psutil.STATUS_STOPPED

    process.send_signal(signal.SIGTSTP)
    both = [process.pid, pid]
    assert wait_for(lambda: [psutil.Process(p).status() for p in both] == [stopped, stopped])
    process.send_signal(signal.SIGCONT)

    assert process.communicate(b"on")[0] == b"on\n"
    assert process.returncode == 0


def test_ctrl_c_at_a_terminal_interrupts_it_and_it_knows_the_terminal(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    source = (
        "import os, signal, sys\ntry:\n"
        "    print(all(os.isatty(n) for n in (0, 1, 2)), sys.stdout.line_buffering, tuple(os.get_terminal_size()))\n"
        "    signal.pause()\nexcept KeyboardInterrupt:\n    print('interrupted'); sys.exit(130)"
    )
    terminal, inside = os.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))

    def control() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    streams = {"stdin": inside, "stdout": inside, "stderr": inside}
    process = code(servers, source, start_new_session=True, preexec_fn=control, **streams)
    os.close(inside)
    shown = b""
    while b"(77, 33)" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")

    assert process.wait(60) == 130
    assert shown.endswith(b"True True (77, 33)\r\n")
    assert b"interrupted" in os.read(terminal, 1000)
    os.close(terminal)


# ------------------------------------------------------------------ ends of client and server
def test_nothing_is_left_of_a_command_whose_client_is_killed(begun: Begun) -> None:
    source = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)\n" + BUSY
    process, grandchild = begun(source)
    assert process.stdout is not None
    pid = int(process.stdout.readline())

    process.kill()
    process.wait()

    assert wait_for(lambda: not is_alive(pid) and not is_alive(grandchild))


def test_a_command_that_will_not_end_is_killed_with_its_client(begun: Begun) -> None:
    deaf = "import signal\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\n"
    process, pid = begun(deaf + BUSY)

    process.kill()
    process.wait()

    assert wait_for(lambda: not is_alive(pid))


def test_a_command_outlives_its_server_and_its_client_learns_its_end(alone: Servers, begun: Begun) -> None:
    process, pid = begun(WAITS + "print(input()); sys.exit(7)", alone)

    os.kill(_server(alone), signal.SIGKILL)
    assert wait_for(lambda: psutil.Process(pid).ppid() == 1 or not alone.servers())

    assert process.communicate(b"on")[0] == b"on\n"
    assert process.returncode == 7


def test_of_a_command_killed_after_its_server_nobody_knows_the_code(alone: Servers, begun: Begun) -> None:
    process, pid = begun(BUSY, alone)

    os.kill(_server(alone), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)

    assert process.wait(60) == 255


def test_a_command_without_server_and_client_ends(alone: Servers, begun: Begun) -> None:
    process, pid = begun(BUSY, alone)

    os.kill(_server(alone), signal.SIGKILL)
    process.kill()
    process.wait()

    assert wait_for(lambda: not is_alive(pid))


def test_stop_lets_a_command_end_and_stop_now_ends_it(alone: Servers, begun: Begun) -> None:
    goes_on, _ = begun(WAITS + "print(input())", alone)
    [said] = stop(alone.folder, kernels=False)
    assert said["serves"] == "commands"
    assert [c["words"][1][:6] for c in said["commands"]] == ["import"]
    assert goes_on.communicate(b"on")[0] == b"on\n"

    ended, _ = begun(BUSY, alone)
    stop(alone.folder, kernels=True)
    assert ended.wait(60) == -signal.SIGTERM


def _server(servers: Servers) -> int:
    [server] = statuses(servers.folder)
    return int(server["pid"])


def test_ctrl_c_waits_until_the_command_can_be_told_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    ended_by = _run("nbdataops.kernel.purpose:never_called", before)

    signal.signal(signal.SIGINT, handler)
    assert ended_by == -signal.SIGINT
    assert "KeyboardInterrupt" in capsys.readouterr().err
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
