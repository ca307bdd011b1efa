"""Kernels that are initialised ahead of need."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nbdataops.kernel.client_kind import ClientKind
from nbdataops.kernel.status import statuses
from tests.kernel.kernels import PATIENCE_S, Running, Servers, wait_for
from tests.kernel.test_warm_kernels import LOOK, addresses

pytestmark = pytest.mark.kernel
Start = Callable[..., Running]


def standbys(servers: Servers, server: int) -> list[int]:
    return next(s["standbys"] for s in statuses(servers.folder) if s["pid"] == server)


def standby_beside(warm: Servers, kernel: Running) -> int:
    """The process id of a standby kernel that is ready, of the same server as another kernel."""
    server = psutil.Process(kernel.pid).ppid()
    return int(wait_for(lambda: standbys(warm, server))[0])


@pytest.fixture
def standby(alone: Servers, start: Start) -> int:
    """The process id of a standby kernel that is ready to be adopted. Of a fresh server: it knows one kind of client."""
    return standby_beside(alone, start())


def test_a_standby_is_given_to_the_next_client(start: Start, standby: int) -> None:
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


def test_adopted_kernels_draw_different_random_numbers(alone: Servers, start: Start, standby: int) -> None:
    first = start()
    other = standby_beside(alone, first)
    second = start()
    code = "import random, numpy, tempfile\nprint(random.random(), numpy.random.rand(), tempfile.mktemp())"

    one, two = first.run(code).out.split(), second.run(code).out.split()

    assert [first.pid, second.pid] == [standby, other]
    assert [a for a, b in zip(one, two, strict=True) if a == b] == []


@pytest.mark.parametrize("file", ["startup/mine.py", "ipython_config.py"])
def test_a_profile_with_files_of_its_own_gets_a_fresh_fork(
    alone: Servers, start: Start, standby: int, file: str
) -> None:
    path = alone.home / "ipython" / "profile_default" / file
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


def test_two_kinds_of_clients_in_turns_have_a_standby_each(
    alone: Servers, start: Start, standby: int
) -> None:
    others: dict[str, Any] = {
        "env": {"PYTEST_CURRENT_TEST": "x"}
    }  # ipykernel reads it while it is initialised
    first = start(**others)
    server = psutil.Process(first.pid).ppid()
    both = wait_for(lambda: len(found := standbys(alone, server)) == 2 and found)

    adopted = [start(**others).pid, start().pid]

    assert first.pid != standby
    assert sorted(adopted) == sorted(both)
    assert adopted[1] == standby


def test_a_third_kind_of_client_takes_the_place_of_the_first(
    alone: Servers, start: Start, standby: int
) -> None:
    kinds: list[dict[str, Any]] = [
        {"extra_arguments": [f"--InteractiveShell.ast_node_interactivity={which}"]}
        for which in ("all", "none")
    ]
    for kind in kinds:
        kernel = start(**kind)
    server = psutil.Process(kernel.pid).ppid()

    assert wait_for(lambda: len(found := standbys(alone, server)) == 2 and standby not in found)
    assert wait_for(lambda: not psutil.pid_exists(standby))


def test_what_the_clients_before_had_is_not_in_an_adopted_kernel(alone: Servers, start: Start) -> None:
    """Neither what they would see of it, nor anywhere among the objects of the process."""
    marker = "of-the-client-" + "before"  # in two: the cell is in the kernel's memory, too
    given = {"MINE": marker, "JPY_SESSION_NAME": "first.ipynb", "TZ": "Asia/Tokyo"}
    start(env=given).close()
    first = start(env=given)
    standby = standby_beside(alone, first)
    second = start(env={"TZ": "UTC"})

    said = second.run(
        "import gc, os, time\nprint(os.environ.get('MINE'), time.tzname[0], '__session__' in globals())\n"
        "def holds(o):\n"
        "    try:\n"
        "        return any(isinstance(v, str) and v == '-'.join(['of-the-client', 'before']) for v in gc.get_referents(o))\n"
        "    except Exception:\n"
        "        return False\n"
        "print(sum(isinstance(o, (dict, tuple, list)) and holds(o) for o in gc.get_objects() + [gc.get_objects(2)]))"
    )

    assert second.pid == standby
    assert said.lines == ["None UTC False", "0"]


OWN_CODE: list[dict[str, Any]] = [
    {"extra_arguments": ["--IPKernelApp.exec_lines=import own; ran = own.VALUE"]},
    {"extra_arguments": ["--IPKernelApp.exec_lines=import os; ran = open('own.txt').read()"]},
    {"extra_arguments": ["--ext=own"]},
    {"env": {"PYTHONSTARTUP": "startup.py"}},
]


@pytest.mark.parametrize("launch", OWN_CODE, ids=str)
def test_what_a_client_has_executed_at_the_start_is_executed_then_in_its_folder(
    alone: Servers, start: Start, tmp_path: Path, launch: dict[str, Any]
) -> None:
    def put(value: str) -> None:
        source = f"VALUE = {value!r}\ndef load_ipython_extension(ip): ip.user_ns['ran'] = {value!r}\n"
        (tmp_path / "own.py").write_text(source)
        (tmp_path / "own.txt").write_text(value)
        (tmp_path / "startup.py").write_text(f"ran = {value!r}\nimport os; there = os.getcwd()\n")

    said = []
    for value in ("first", "second one"):
        put(value)
        kernel = start(cwd=str(tmp_path), **launch)
        said.append(kernel.run("print(ran)").out)
    server = psutil.Process(kernel.pid).ppid()

    assert said == ["first\n", "second one\n"]
    assert standbys(alone, server) == []


@pytest.mark.parametrize("file", ["startup/mine.py", "ipython_config.py"])
def test_a_file_of_the_profile_is_executed_once_a_kernel(
    alone: Servers, start: Start, tmp_path: Path, file: str
) -> None:
    path = alone.home / "ipython" / "profile_default" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"import os\nwith open({str(tmp_path / 'log')!r}, 'a') as f: print(os.getcwd(), file=f)")

    for _ in range(3):
        start(cwd=str(tmp_path))
        kernel = start(cwd=str(tmp_path))
    server = psutil.Process(kernel.pid).ppid()
    status = next(s for s in statuses(alone.folder) if s["pid"] == server)

    assert (tmp_path / "log").read_text() == f"{tmp_path}\n" * 6
    assert status["forks"] <= 8, "it is not tried again and again to make a standby"


def test_files_of_the_first_clients_profile_keep_no_standby_from_others(
    alone: Servers, start: Start, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs" / "profile_default"
    theirs.mkdir(parents=True)
    (theirs / "ipython_config.py").touch()
    start(env={"IPYTHONDIR": str(theirs.parent)})

    kernel = start()
    server = psutil.Process(kernel.pid).ppid()

    def another() -> list[int]:
        start().close()  # only from now on may it be known that the folder matters
        return standbys(alone, server)

    assert wait_for(another)


@pytest.mark.parametrize(
    "word",
    [
        "--HistoryManager.hist_file=own.sqlite",
        "--InteractiveShell.logstart=True",
        "--IPKernelApp.exec_lines=1",
    ],
)
def test_what_opens_files_or_executes_something_is_nothing_to_be_done_ahead(word: str) -> None:
    usual = "--HistoryManager.hist_file=:memory:"

    assert ClientKind.of((usual,), {}, ()) is not None
    assert ClientKind.of((usual, word), {}, ()) is None
