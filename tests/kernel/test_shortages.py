"""Out of descriptors, full folders: defined, no hang, no orphan, and a kernel in the end wherever one can be had."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.kernels import Running, Servers, descriptors, wait_for

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


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
    assert f"are free in {alone.folder}" in said
