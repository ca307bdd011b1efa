"""A forked kernel is as good as a fresh one: real kernels, one server for the whole file."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.kernels import PATIENCE_S, Running, Servers, is_alive, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


def test_libraries_are_there_and_a_projects_own_modules_are_not(start: Start, tmp_path: Path) -> None:
    kernel = start(cwd=str(tmp_path))

    said = kernel.run(
        "import sys\nprint('numpy' in sys.modules, [m for m in sys.modules if m.startswith('nbdataops')])"
    )

    assert said.out == "True []\n"


def test_folder_environment_and_time_zone_are_the_clients(start: Start, tmp_path: Path) -> None:
    kernel = start(cwd=str(tmp_path), env={"MINE": "ä", "TZ": "Asia/Tokyo"})

    said = kernel.run(
        "import os, time\nprint(os.getcwd(), os.environ['MINE'], time.tzname[0], os.path.realpath('.'))"
    )

    assert said.out == f"{tmp_path} ä JST {tmp_path}\n"


def test_a_relative_folder_is_the_clients(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)

    kernel = start(cwd="here")

    assert kernel.run("import os\nprint(os.getcwd())").out == f"{tmp_path / 'here'}\n"


def test_a_variable_that_the_client_has_not_is_not_there(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_HERE", "1")
    start()  # may have started the server, which then has the variable
    monkeypatch.delenv("ONLY_HERE")

    assert start().run("import os\nprint('ONLY_HERE' in os.environ)").out == "False\n"


def test_file_mask_and_open_file_limit_are_the_clients(start: Start) -> None:
    before = os.umask(0o027)
    try:
        kernel = start()
    finally:
        os.umask(before)

    said = kernel.run(
        "import os, resource\nprint(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )

    import resource

    assert said.out == f"{0o027:#o} {resource.getrlimit(resource.RLIMIT_NOFILE)}\n"


def addresses(kernel: Running) -> list[Path]:
    """The files of a kernel's sockets."""
    info = kernel.manager.get_connection_info()
    return [Path(f"{info['ip']}-{info[f'{c}_port']}") for c in ("shell", "iopub", "stdin", "hb", "control")]


def test_signals_that_the_client_ignores_or_blocks_are_ignored_or_blocked(start: Start) -> None:
    """As after `nohup`; a server that was started by such a client does not pass it on to kernels of others."""
    look = (
        "import signal\nasked = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT]\n"
        "print([signal.getsignal(s) is signal.SIG_IGN for s in asked], [*signal.pthread_sigmask(0, [])] == [signal.SIGUSR2])"
    )
    usual = start().run(look).out
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGHUP, signal.SIGUSR1)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        kernel = start()
        said = [kernel.run(look).out]
        kernel.manager.restart_kernel()
        kernel.client.wait_for_ready(timeout=PATIENCE_S)
        said.append(kernel.run(look).out)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    assert said == [usual.replace("[False, False", "[True, True").replace("] False", "] True")] * 2
    assert start().run(look).out == usual


LOOK = """if True:
    import gc, json, locale, os, signal, sys, warnings
    signals = {s.name: str(signal.getsignal(s)) for s in signal.Signals if s < 32}
    main = sys.modules["__main__"]
    print(json.dumps({
        "arguments": [sys.argv[0], sys.argv[1], *sys.argv[3:]], "path": sys.path, "flags": str(sys.flags),
        "command": [*sys.orig_argv[:4], *sys.orig_argv[5:]], "blocks": str(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "signals": signals,
        "main": [main.__name__, hasattr(main, "__file__"), str(main.__spec__)],
        "locale": locale.setlocale(locale.LC_ALL), "encodings": [sys.stdout.encoding, sys.__stdout__.encoding],
        "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()], "collects": gc.isenabled(),
        "variables": {k: v for k, v in os.environ.items() if not k.startswith("KMP_")},
        "names": sorted(n for n in globals() if not n.startswith("_i")),
    }))
"""


def test_the_process_looks_as_that_of_an_ordinary_kernel(start: Start, tmp_path: Path) -> None:
    """KMP_ variables are set by scikit-learn when it is imported, here or there."""
    warm = json.loads(start(cwd=str(tmp_path)).run(LOOK).out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBDATAOPS_KERNELS", "cold")
        cold = json.loads(start(expect_warm=False, cwd=str(tmp_path)).run(LOOK).out)
    cold["variables"].pop("NBDATAOPS_KERNELS")

    assert warm == cold


def test_siblings_share_no_module_state(start: Start) -> None:
    one, other = start(), start()
    one.run("import numpy\nnumpy.spoilt = True\nsecret = 1")

    assert (
        other.run("import numpy\nprint(hasattr(numpy, 'spoilt'), 'secret' in globals())").out
        == "False False\n"
    )


def test_siblings_draw_different_random_numbers(start: Start) -> None:
    code = (
        "import random, numpy, uuid, tempfile, multiprocessing\n"
        "print(random.random(), numpy.random.rand(), numpy.random.default_rng().random(), uuid.uuid4(),\n"
        "      next(tempfile._get_candidate_names()), multiprocessing.current_process().authkey.hex())"
    )
    one, other = (start().run(code).out.split() for _ in range(2))

    assert len(one) == 6
    assert [a for a, b in zip(one, other, strict=True) if a == b] == []


def test_history_is_in_memory(start: Start) -> None:
    assert start().run("print(get_ipython().history_manager.hist_file)").out == ":memory:\n"


def test_output_of_any_kind_arrives(start: Start) -> None:
    kernel = start()
    code = (
        "import os, subprocess, sys, threading\n"
        "print('printed')\nprint('warned', file=sys.stderr)\n"
        "thread = threading.Thread(target=lambda: print('thread'))\nthread.start(); thread.join()\n"
        "subprocess.run(['echo', 'child'])\nos.write(1, b'descriptor\\n')\n"
        "!echo bang\n"
    )
    # What is written to a descriptor is published by a thread, maybe after the cell has ended: the next cell's words
    # come after it.
    said = [kernel.run(code), kernel.run("import time\ntime.sleep(0.5)")]

    out = "".join(s.streams["stdout"] for s in said)
    assert {"printed", "thread", "child", "descriptor", "bang"} <= set(out.split())
    assert said[0].streams["stderr"] == "warned\n"


def test_input_is_asked_of_the_client(start: Start) -> None:
    assert start().run("print(input('? '))", answer="hello").out == "hello\n"


def test_a_cell_may_await(start: Start) -> None:
    assert start().run("import asyncio\nawait asyncio.sleep(0)\nprint('done')").out == "done\n"


def test_a_traceback_names_cell_and_line(start: Start) -> None:
    said = start().run("def f():\n    1/0\nf()")

    assert said.error == "ZeroDivisionError"
    assert "Cell" in said.traceback
    assert "line 2" in said.traceback


def test_objects_of_main_can_be_pickled(start: Start) -> None:
    said = start().run(
        "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__module__, __name__)"
    )

    assert said.out == "__main__ __main__\n"


def test_an_interrupt_ends_the_cell_and_not_the_kernel(start: Start) -> None:
    kernel = start()
    kernel.run("x = 1")
    request = kernel.client.execute("print('in it', flush=True)\nimport time\ntime.sleep(600)")
    while kernel.client.get_iopub_msg(timeout=PATIENCE_S)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()

    reply = kernel.client.get_shell_msg(timeout=PATIENCE_S)
    assert reply["parent_header"]["msg_id"] == request
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    # For a moment after an error ipykernel aborts what comes next, as if it had been queued behind the cell.
    assert wait_for(lambda: kernel.run("assert x == 1").status != "aborted")
    assert kernel.run("print(x)").out == "1\n"


def test_a_restart_keeps_the_addresses_and_forgets_the_rest(warm: Servers, start: Start) -> None:
    """Also when the server buries the one before, which it does a little after its client has heard of its end."""
    kernel = start()
    kernel.run("x = 1")
    before, first = kernel.manager.get_connection_info(), kernel.pid

    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=PATIENCE_S)

    assert kernel.manager.get_connection_info() == before
    assert kernel.cold_reason is None
    assert kernel.pid != first
    assert kernel.run("print('x' in globals())").out == "False\n"
    assert wait_for(lambda: first not in {k["pid"] for s in statuses(warm.folder) for k in s["kernels"]})
    assert [n for n in range(1, 6) if not Path(f"{before['ip']}-{n}").exists()] == []


def test_a_polite_shutdown_runs_what_was_registered_for_the_end(start: Start, tmp_path: Path) -> None:
    kernel = start()
    mark = tmp_path / "ended"
    kernel.run(f"import atexit, pathlib\natexit.register(pathlib.Path({str(mark)!r}).touch)")

    kernel.manager.shutdown_kernel()

    assert mark.exists()


def test_a_kernel_that_is_slow_to_end_has_the_time_that_its_client_gives(
    start: Start, tmp_path: Path
) -> None:
    """Half of it to end by itself, as ever: a thread that ends after 2.4 s does not get that far in 0.1 s."""
    kernel = start()
    mark = tmp_path / "ended"
    kernel.run(
        "import pathlib, threading, time\n"
        f"def end():\n    time.sleep(2.4)\n    pathlib.Path({str(mark)!r}).touch()\n"
        "threading.Thread(target=end).start()"
    )
    kernel.manager.shutdown_wait_time = 0.2

    kernel.manager.shutdown_kernel()

    assert not mark.exists()
    assert not is_alive(kernel.pid)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os\nos.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import ctypes\nctypes.string_at(0)", -signal.SIGSEGV),
        ("import os\nos._exit(7)", 7),
    ],
)
def test_the_death_of_a_kernel_is_seen_with_its_code(start: Start, code: str, expected: int) -> None:
    kernel = start()
    process = kernel.manager.provisioner.process  # type: ignore[union-attr]
    kernel.client.execute(code)

    assert process.wait(PATIENCE_S) == expected
    assert not kernel.manager.is_alive()


def test_what_a_kernel_started_ends_with_it(start: Start) -> None:
    kernel = start()
    child = int(kernel.run("import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)").out)

    kernel.manager.shutdown_kernel(now=True)

    assert wait_for(lambda: not is_alive(child))


def test_a_kernels_sockets_are_gone_after_it(start: Start) -> None:
    kernel = start()
    sockets = addresses(kernel)
    assert all(path.is_socket() for path in sockets)

    kernel.close()

    assert [path for path in sockets if path.exists()] == []


def test_standard_streams_may_be_files_or_pipes(start: Start, tmp_path: Path) -> None:
    import subprocess

    with (tmp_path / "out").open("wb") as out:
        kernel = start(stdout=out, stderr=subprocess.PIPE)
        kernel.run("import sys\nsys.__stdout__.write('to the file'); sys.__stdout__.flush(); import os, time\n"
                   "os.write(sys.stderr._original_stdstream_copy, b'to the pipe\\n')")  # fmt: skip

    assert kernel.manager.provisioner.process.stderr.readline() == b"to the pipe\n"  # type: ignore[union-attr]
    assert wait_for(lambda: "to the file" in (tmp_path / "out").read_text())


def test_the_kernels_of_a_client_that_was_killed_end(warm: Servers, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, time\nfrom jupyter_client.manager import KernelManager\n"
        "km = KernelManager(kernel_name='bare'); km.start_kernel()\n"
        "print(km.provisioner.pid, km.provisioner.cold_reason, km.ip, flush=True)\ntime.sleep(600)"
    )
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    pid, reason, prefix = client.stdout.readline().split()
    assert reason == "None"
    assert is_alive(int(pid))

    client.kill()
    client.wait()

    assert wait_for(lambda: not is_alive(int(pid)))
    assert wait_for(lambda: not [p for p in warm.folder.iterdir() if p.name.startswith(Path(prefix).name)])
    client.stdout.close()


def test_a_forked_copy_of_the_client_does_not_keep_its_kernels(start: Start) -> None:
    kernel = start()
    pid = kernel.pid
    child = os.fork()
    if child == 0:
        time.sleep(600)
    try:
        kernel.manager.provisioner.process.close()  # type: ignore[union-attr]

        assert wait_for(lambda: not is_alive(pid))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kernel.manager.provisioner.process = None  # type: ignore[union-attr]


def test_many_kernels_at_once_are_all_served(start: Start) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        kernels = list(pool.map(lambda _: start(), range(8)))

    assert [k.run(f"print({n} * 2)").out for n, k in enumerate(kernels)] == [f"{2 * n}\n" for n in range(8)]
    assert len({k.pid for k in kernels}) == 8


def test_a_start_that_is_cancelled_leaves_no_kernel(warm: Servers, start: Start) -> None:
    import asyncio

    from jupyter_client.manager import AsyncKernelManager

    from nbdataops.kernel.status import statuses

    start().close()

    async def cancelled(after_s: float) -> None:
        manager = AsyncKernelManager(kernel_name="bare")
        try:
            await asyncio.wait_for(manager.start_kernel(), after_s)
        except TimeoutError:
            return
        await manager.shutdown_kernel(now=True)

    for after_s in (0.001, 0.003, 0.01, 0.03, 0.1):
        asyncio.run(cancelled(after_s))

    assert wait_for(lambda: [k for s in statuses(warm.folder) for k in s["kernels"]] == [])


def test_a_kernel_may_be_a_client_itself(warm: Servers, start: Start) -> None:
    kernel = start()
    said = kernel.run(
        "from jupyter_client.manager import start_new_kernel\n"
        "import asyncio\n"
        "def inner():\n"
        "    manager, client = start_new_kernel(kernel_name='bare')\n"
        "    reply = client.execute_interactive('print(6 * 7)', output_hook=lambda _: None)\n"
        "    client.stop_channels(); manager.shutdown_kernel()\n"
        "    return manager.provisioner.cold_reason, reply['content']['status']\n"
        "print(await asyncio.to_thread(inner))"
    )

    assert said.out == "(None, 'ok')\n"
