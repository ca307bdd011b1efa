"""Kernels that are initialised ahead of need."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.kernel.status import statuses
from tests.kernel.kernels import PATIENCE_S, Running, Servers, wait_for
from tests.kernel.test_warm_kernels import LOOK, addresses

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


def standby_beside(warm: Servers, kernel: Running) -> int:
    """The process id of a standby kernel that is ready, of the same server as another kernel."""
    server = psutil.Process(kernel.pid).ppid()
    return int(
        wait_for(lambda: [p for s in statuses(warm.folder) if s["pid"] == server for p in s["standbys"]])[0]
    )


@pytest.fixture
def standby(warm: Servers, start: Start) -> int:
    """The process id of a standby kernel that is ready to be adopted."""
    return standby_beside(warm, start())


def test_a_standby_is_given_to_the_next_client(warm: Servers, start: Start, standby: int) -> None:
    kernel = start()

    assert kernel.pid == standby
    assert kernel.run("print(6 * 7)").out == "42\n"
    assert all(path.is_socket() for path in addresses(kernel))


def test_an_adopted_kernel_looks_as_a_forked_one(start: Start, standby: int, tmp_path: Path) -> None:
    variables = {"MINE": "1", "TZ": "Asia/Tokyo", "JPY_SESSION_NAME": "a/b.ipynb"}
    look = LOOK + "import time\nprint(time.tzname, _dh, os.getcwd(), get_ipython().starting_dir, __session__)"
    kernel = start(cwd=str(tmp_path), env=variables)
    assert kernel.pid == standby
    given = kernel.run(look).lines
    kernel.manager.restart_kernel()  # never a standby: it must keep its addresses
    kernel.client.wait_for_ready(timeout=PATIENCE_S)
    forked = kernel.run(look).lines

    assert kernel.pid != standby
    assert json.loads(given[0]) == json.loads(forked[0])
    assert given[1] == forked[1]


def test_interpreters_of_two_names_share_a_server_and_each_kernel_has_the_name_it_was_asked_for(
    warm: Servers, start: Start
) -> None:
    """In `sys.executable`, in what was taken from it when it was loaded, and so in all that a kernel starts."""
    usual = json.loads((warm.home / "jupyter" / "kernels" / "bare" / "kernel.json").read_text())
    named = [
        Path(sys.executable).with_name(name) for name in ("python3", f"python3.{sys.version_info.minor}")
    ]
    for number, python in enumerate(named):
        usual["argv"][0] = str(python)
        usual["metadata"]["kernel_provisioner"]["config"]["preload"] = ["numpy", "joblib"]
        folder = warm.home / "jupyter" / "kernels" / f"named-{number}"
        folder.mkdir()
        (folder / "kernel.json").write_text(json.dumps(usual))
    look = (
        "import multiprocessing.spawn, os, sys\nfrom joblib.externals.loky.backend import spawn\n"
        "print(sys.executable, sys.orig_argv[0], os.fsdecode(multiprocessing.spawn.get_executable()), "
        "spawn.get_executable(), 'joblib' in sys.modules)"
    )

    first = start("named-0")
    adopted = standby_beside(warm, first)
    second = start("named-1")
    assert second.pid == adopted
    given = second.run(look).out.split()
    second.manager.restart_kernel()  # never a standby: it must keep its addresses
    second.client.wait_for_ready(timeout=PATIENCE_S)
    forked = second.run(look).out.split()

    assert psutil.Process(first.pid).ppid() == psutil.Process(second.pid).ppid()
    assert first.run(look).out.split() == [str(named[0])] * 4 + ["True"]
    assert given == forked == [str(named[1])] * 4 + ["True"]


def test_output_of_an_adopted_kernels_descriptors_goes_to_its_client(
    start: Start, standby: int, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as out:
        kernel = start(stdout=out, stderr=out)
        assert kernel.pid == standby
        said = kernel.run("import os, sys, time\nos.write(1, b'to the notebook\\n')\ntime.sleep(0.5)\n"
                          "print(sys.stdin.read() == '')\nraise SystemError('x')")  # fmt: skip

    assert {"to the notebook", "True"} <= set(said.streams["stdout"].splitlines())
    assert wait_for(lambda: "to the notebook" in (tmp_path / "out").read_text())


def test_adopted_kernels_draw_different_random_numbers(warm: Servers, start: Start, standby: int) -> None:
    first = start()
    other = standby_beside(warm, first)
    second = start()
    code = "import random, numpy, tempfile\nprint(random.random(), numpy.random.rand(), tempfile.mktemp())"

    one, two = first.run(code).out.split(), second.run(code).out.split()

    assert [first.pid, second.pid] == [standby, other]
    assert [a for a, b in zip(one, two, strict=True) if a == b] == []


@pytest.mark.parametrize("file", ["startup/mine.py", "ipython_config.py"])
def test_a_profile_with_files_of_its_own_gets_a_fresh_fork(
    warm: Servers, start: Start, standby: int, file: str
) -> None:
    path = warm.home / "ipython" / "profile_default" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("import os\nos.environ['RAN'] = os.getcwd()")
    try:
        kernel = start(cwd="/tmp")

        assert kernel.pid != standby
        assert kernel.run("import os\nprint(os.environ['RAN'])").out == "/tmp\n"
    finally:
        path.unlink()


def test_another_ipython_folder_gets_a_fresh_fork(start: Start, standby: int, tmp_path: Path) -> None:
    kernel = start(env={"IPYTHONDIR": str(tmp_path)})

    assert kernel.pid != standby
    assert kernel.run("print(get_ipython().ipython_dir)").out == f"{tmp_path}\n"


def test_further_arguments_get_a_fresh_fork(start: Start, standby: int) -> None:
    kernel = start(extra_arguments=["--InteractiveShell.ast_node_interactivity=all"])

    assert kernel.pid != standby
    assert len(kernel.run("1\n2").results) == 2


@pytest.mark.parametrize(
    "launch",
    [
        {"extra_arguments": ["--InteractiveShell.ast_node_interactivity=all"]},
        {"env": {"PYTEST_CURRENT_TEST": "x"}},  # ipykernel reads it while it is initialised
    ],
)
def test_the_next_standby_is_made_for_clients_like_the_last(
    warm: Servers, start: Start, standby: int, launch: dict[str, Any]
) -> None:
    other = start(**launch)
    made = wait_for(lambda: standby_beside(warm, other) != standby and standby_beside(warm, other))

    second = start(**launch)

    assert [other.pid == standby, second.pid] == [False, made]
    assert not psutil.pid_exists(standby)


def test_what_a_standby_was_made_with_is_not_the_next_clients(start: Start, warm: Servers) -> None:
    first = start(env={"MINE": "of the first", "JPY_SESSION_NAME": "first.ipynb", "TZ": "Asia/Tokyo"})
    standby = standby_beside(warm, first)
    second = start(env={"TZ": "UTC"})

    said = second.run(
        "import os, time\nprint(os.environ.get('MINE'), time.tzname[0], '__session__' in globals())"
    )

    assert (second.pid, said.out) == (standby, "None UTC False\n")
