"""Commands in forked processes: what they meet, print and end with is what an ordinary process does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.commands import CLIENT, run
from tests.kernel.environments import Environment
from tests.kernel.kernels import Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel

ALIKE = {
    "arguments": ("import sys; print(sys.argv[2:], sys.executable, sys.path)", b""),
    "environment": ("import os; print(sorted(os.environ.items()))", b""),
    "folder, mask and limits": (
        (
            "import os, resource\nprint(os.getcwd(), oct(os.umask(0)))\n"
            "print([resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith('RLIMIT')])"
        ),
        b"",
    ),
    "time zone": ("import time; print(time.tzname, time.localtime(0))", b""),
    "streams": (
        (
            "import os, sys\nfor s in (sys.stdin, sys.stdout, sys.stderr, sys.__stdout__):\n"
            "    print(repr(s), s.errors, s.line_buffering, s.write_through, s.newlines, s.isatty(), s.fileno(),"
            " s.seekable(), type(s.buffer).__name__, s.buffer.raw.name, file=sys.stderr)"
        ),
        b"",
    ),
    "descriptors": (
        (
            "import os\nfor n in range(3, 40):\n"
            "    if os.path.exists(f'/proc/self/fd/{n}') and os.get_inheritable(n): print(n)"
        ),
        b"",
    ),
    "signals": (
        (
            "import signal\nfor n in sorted(signal.valid_signals()): print(n, signal.getsignal(n))\n"
            "print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1))"
        ),
        b"",
    ),
    "what is typed": ("import sys; print([line for line in sys.stdin], input.__name__)", b"one\r\ntwo\xff\n"),
    "an end without a line's end": ("import sys; sys.stdout.write('x'); sys.stderr.write('y')", b""),
    "a code": ("import sys; print('a'); sys.exit(300)", b""),
    "a text": ("import sys; sys.exit('nothing found')", b""),
    "no code": ("import sys; sys.exit(None)", b""),
    "an end at once": ("import os; os._exit(9)", b""),
    "a signal": ("import os; os.kill(os.getpid(), 9)", b""),
    "another signal": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", b""),
    "what comes last": (
        (
            "import atexit, threading, time\nclass Last:\n    def __del__(self): print('collected')\n"
            "a = Last(); a.itself = a\ndel a\natexit.register(print, 'at exit')\nmay = threading.Event()\n"
            "threading.Thread(target=lambda: (may.wait(), print('thread'))).start()\nmay.set()"
        ),
        b"",
    ),
    "a full output": ("import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); print('x')", b""),
    "child processes": (
        (
            "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(input())'],"
            " capture_output=True, text=True, input='7').stdout)\nsubprocess.run(['sh', '-c', 'echo $PWD; exec cat'])"
        ),
        b"typed",
    ),
    "its pool of processes": (
        (
            "import concurrent.futures, math\n"
            "with concurrent.futures.ProcessPoolExecutor(2) as pool: print(list(pool.map(math.sqrt, [4, 9])))"
        ),
        b"",
    ),
}


@pytest.fixture(scope="module")
def shared(servers: Servers) -> Servers:
    """Servers that this module's tests leave alive."""
    return servers


@pytest.mark.parametrize("what", ALIKE)
def test_it_is_as_in_a_process_of_its_own(shared: Servers, tmp_path: Path, what: str) -> None:
    source, typed = ALIKE[what]
    how = {
        "cwd": tmp_path,
        "umask": 0o027,
        "env": {"TZ": "Asia/Tokyo", "ODD": "\udcff", "PYTHONUNBUFFERED": ""},
        "typed": typed,
    }

    cold = run(shared, source, "--a", "b\nc", "\udcff", warm=False, **how)
    warm = run(shared, source, "--a", "b\nc", "\udcff", **how)

    assert b"refused" not in warm[2]
    assert warm == cold


def test_a_random_number_is_another_one_each_time(shared: Servers) -> None:
    source = "import random, uuid, numpy; print(random.random(), uuid.uuid4(), numpy.random.random())"

    drawn = {run(shared, source, env={"WARM": "yaml numpy"})[1] for _ in range(3)}

    assert len(drawn) == 3


def test_files_that_a_shell_has_opened_are_handed_over(shared: Servers, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("by the shell\n")
    given = os.open(tmp_path / "given", os.O_RDONLY)
    os.set_inheritable(given, True)

    code_, out, _ = run(
        shared, "import sys; print(open(f'/dev/fd/{sys.argv[2]}').read())", str(given), pass_fds=[given]
    )
    os.close(given)

    assert (code_, out) == (0, b"by the shell\n\n")


def test_a_closed_stream_or_too_many_files_are_left_to_an_ordinary_process(shared: Servers) -> None:
    pipes = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    try:
        many = run(shared, "print(1)", pass_fds=pipes)
    finally:
        for pipe in pipes:
            os.close(pipe)
    closed = run(shared, "print(1)", preexec_fn=lambda: os.close(0), stdin=None)

    assert b"open files would be inherited" in many[2]
    assert b"a standard stream is closed" in closed[2]


def test_what_it_leaves_running_runs_on_and_it_does_not_wait_for_it(shared: Servers) -> None:
    source = "import subprocess; print(subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL).pid)"

    _, out, _ = run(shared, source, stderr=subprocess.DEVNULL)

    pid = int(out)
    assert wait_for(lambda: all(not s["commands"] for s in statuses(shared.folder)))
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_project_that_hides_a_preloaded_module_is_refused(shared: Servers, tmp_path: Path) -> None:
    run(shared, "print(1)")
    (tmp_path / "yaml.py").write_text("")
    shutil.copy(CLIENT, tmp_path)

    shown = run(shared, "print(1)", client=tmp_path / CLIENT.name)[2]

    assert b"yaml.py in " in shown
    assert b" hides a module that the fork server has loaded" in shown


# ------------------------------------------------------------------ never stale
def test_an_edited_package_is_seen_by_the_very_next_command(alone: Servers, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", alone)
    environment.install("made", "VALUE = 1\n")
    how = {"python": str(tmp_path / "venv" / "bin" / "python"), "env": {"WARM": "made"}}
    source = "import sys; loaded = 'made' in sys.modules; import made; print(made.VALUE, loaded)"
    assert run(alone, source, **how)[1] == b"1 True\n"

    environment.install("made", "VALUE = 1 + 1\n", version="2")
    refused = run(alone, source, **how)
    after = run(alone, source, **how)

    assert b"since the fork server loaded it" in refused[2]
    assert after[1] == b"2 True\n"


def test_a_variable_that_a_library_has_read_and_that_differs_is_refused(
    alone: Servers, tmp_path: Path
) -> None:
    environment = Environment(tmp_path / "venv", alone)
    environment.install("made", "import os\nVALUE = os.environ.get('COLOUR_OF_IT')\n")
    python = str(tmp_path / "venv" / "bin" / "python")
    source = "import made; print(made.VALUE)"

    first = run(alone, source, python=python, env={"WARM": "made", "COLOUR_OF_IT": "red"})
    other = run(alone, source, python=python, env={"WARM": "made", "COLOUR_OF_IT": "blue"})

    assert first[1] == b"red\n"
    assert b"COLOUR_OF_IT was read" in other[2]


def test_a_function_of_a_preloaded_module_has_been_called_once(alone: Servers, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", alone)
    environment.install("made", "import os\ncalled = []\ndef prepare(): called.append(os.getpid())\n")
    python = str(tmp_path / "venv" / "bin" / "python")

    out = run(
        alone,
        "import made, os; print(len(made.called), made.called == [os.getpid()])",
        python=python,
        env={"WARM": "made:prepare"},
    )[1]

    assert out == b"1 False\n"


def test_a_client_with_another_copy_of_nbdataops_is_refused(alone: Servers, tmp_path: Path) -> None:
    import nbdataops

    here = Path(nbdataops.__file__).parent
    shutil.copytree(here, tmp_path / "nbdataops", ignore=shutil.ignore_patterns("__pycache__"))
    run(alone, "print(1)", env={"PYTHONPATH": ""})
    source = "import sys; sys.path.insert(0, sys.argv[2]); import runpy; runpy.run_path(sys.argv[3], None, '__main__')"

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            source,
            "print(1)",
            str(tmp_path),
            str(Path(__file__).parent / "command_client.py"),
        ],
        env={k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"} | {"WARM": "yaml"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"the client runs nbdataops of {tmp_path}" in done.stderr


def test_many_commands_at_once_and_nothing_is_left(shared: Servers) -> None:
    results: list[tuple[int, bytes, bytes]] = []

    def one(number: int) -> None:
        results.append(run(shared, f"import sys; print({number}); sys.exit({number})"))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [(n, b"%d\n" % n, b"") for n in range(8)]
    assert wait_for(lambda: all(not s["commands"] for s in statuses(shared.folder)))
