"""`nbdataops kernel`: what it writes, says and refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kernel.conftest import REPOSITORY
from tests.kernel.kernels import Running, Servers, is_alive


def nbdataops(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    names = ("PYTEST_CURRENT_TEST", "NBDATAOPS_KERNELS")
    environment = {k: v for k, v in os.environ.items() if k not in names} | variables
    command = [sys.executable, "-m", "nbdataops", "kernel", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_install_writes_a_kernelspec_for_this_python_with_the_products_list(tmp_path: Path) -> None:
    (tmp_path / "product").mkdir()
    (tmp_path / "product" / "a.py").write_text("import polars")

    for _ in range(2):  # the second time over the first
        done = nbdataops(
            "install", "--prefix", str(tmp_path), "--product", str(tmp_path / "product"), "--json"
        )
        assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    target = tmp_path / "share" / "jupyter" / "kernels" / "nbdataops"
    assert said["kernelspec"] == str(target)
    assert {p.name for p in target.iterdir()} == {
        p.name for p in (REPOSITORY / "kernels" / "nbdataops").iterdir()
    }
    spec = json.loads((target / "kernel.json").read_text())
    assert spec["argv"][0] == said["python"] == sys.executable
    assert "polars" in spec["metadata"]["kernel_provisioner"]["config"]["preload"]
    assert [p.name for p in target.parent.iterdir()] == ["nbdataops"]


def test_install_for_a_user_goes_where_jupyter_looks(tmp_path: Path) -> None:
    done = nbdataops("install", "--user", "--json", JUPYTER_DATA_DIR=str(tmp_path))

    assert json.loads(done.stdout)["kernelspec"] == str(tmp_path / "kernels" / "nbdataops")


def test_a_place_that_cannot_be_written_is_infrastructure(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")

    done = nbdataops("install", "--prefix", str(tmp_path), "--json")

    assert done.returncode == 5
    assert "--user or --prefix" in json.loads(done.stdout)["error"]["todo"]


@pytest.mark.parametrize(
    "arguments",
    [("status", "--user"), ("install", "--now"), ("install", "--user", "--prefix", "x"), ("uninstall",), ()],
)
def test_options_of_another_action_are_usage(arguments: tuple[str, ...]) -> None:
    assert nbdataops(*arguments).returncode == 2


def test_status_and_stop_say_something_where_there_is_nothing(tmp_path: Path) -> None:
    folder = str(tmp_path / "none")

    status = json.loads(nbdataops("status", "--json", NBDATAOPS_KERNEL_DIR=folder).stdout)
    stopped = json.loads(nbdataops("stop", "--json", NBDATAOPS_KERNEL_DIR=folder).stdout)

    assert status == {"folder": folder, "servers": [], "cold_starts": []}
    assert stopped == {
        "servers": 0,
        "kernels": 0,
        "commands": 0,
        "kernels_ended": False,
        "commands_ended": False,
    }


@pytest.mark.kernel
def test_doctor_starts_a_warm_kernel_status_shows_its_server_and_stop_leaves_nothing(alone: Servers) -> None:
    doctor = nbdataops("doctor", "--json", **alone.variables)
    assert doctor.returncode == 0, doctor.stdout
    checks = {check["name"]: check["what"] for check in json.loads(doctor.stdout)["checks"]}
    assert checks["warm kernel"].startswith("ready in")

    status = json.loads(nbdataops("status", "--json", **alone.variables).stdout)
    [server] = status["servers"]
    assert "pandas" in server["modules"]
    assert server["kernels"] == []
    assert "pandas" in nbdataops("status", **alone.variables).stdout

    assert json.loads(nbdataops("stop", "--json", **alone.variables).stdout)["servers"] == 1
    assert alone.left() == []


@pytest.mark.kernel
def test_doctor_says_why_a_kernel_is_cold(alone: Servers) -> None:
    done = nbdataops("doctor", "--json", **alone.variables, NBDATAOPS_KERNELS="cold")

    assert done.returncode == 5
    assert "NBDATAOPS_KERNELS=cold" in done.stdout


@pytest.mark.kernel
def test_a_server_that_was_told_to_end_is_shown_while_its_kernels_go_on_and_can_still_be_ended(
    alone: Servers, start: Callable[..., Running]
) -> None:
    kernel = start()
    pid = kernel.pid

    gentle = json.loads(nbdataops("stop", "--json").stdout)
    (server,) = json.loads(nbdataops("status", "--json").stdout)["servers"]
    assert (gentle["kernels"], gentle["kernels_ended"]) == (1, False)
    assert (server["retired"], [k["pid"] for k in server["kernels"]]) == (True, [pid])
    assert kernel.run("print('alive')").streams["stdout"] == "alive\n"
    another = start()  # from a server of its own
    assert len(json.loads(nbdataops("status", "--json").stdout)["servers"]) == 2

    now = json.loads(nbdataops("stop", "--now", "--json").stdout)

    assert (now["servers"], now["kernels"], now["kernels_ended"]) == (2, 2, True)
    assert not is_alive(pid)
    assert not is_alive(another.pid)
    assert alone.left() == []
