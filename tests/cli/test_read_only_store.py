"""A product that can be read and not written, as a colleague's: what only looks works, what does more says what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdataops.errors import ExitCode, StoreError
from nbdataops.workspace import Product, open_product

Command = Callable[..., subprocess.CompletedProcess[str]]
WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""For the superuser, whom no permission stops otherwise."""
MOUNTED = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


def can(*words: str) -> bool:
    return shutil.which(words[0]) is not None and not subprocess.run([*words, "true"], check=False).returncode


def command(prefix: list[str], root: Path) -> Command:
    def call(verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        nbdataops = [*prefix, sys.executable, "-m", "nbdataops", verb, "--product", str(root), *words]
        variables = os.environ | {"TMPDIR": str(root.parent), "NBDATAOPS_RUNNER": "cold"}
        return subprocess.run(nbdataops, env=variables, capture_output=True, text=True, check=False)

    return call


def told(done: subprocess.CompletedProcess[str], code: ExitCode = ExitCode.OK) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def refused(request: pytest.FixtureRequest, blank: Path, opened: Callable[[], Product]) -> Iterator[Command]:
    """nbdataops where the product, which has been run, cannot be written; nothing of it changes, nothing is left."""
    product = opened()
    product.run()
    product.close()
    if request.param == "no permission":
        prefix = [] if os.geteuid() else WITHOUT_CAPABILITIES
        if prefix and not can(*prefix):
            pytest.skip("the superuser cannot give up its capabilities here")
        subprocess.run(["chmod", "-R", "a-w", blank], check=True)
    else:
        if not can("unshare", "-m"):
            pytest.skip("this user cannot mount")
        prefix = ["unshare", "-m", "sh", "-c", MOUNTED, str(blank)]
    before = contents(blank)
    yield command(prefix, blank)
    assert contents(blank) == before
    subprocess.run(["chmod", "-R", "u+w", blank], check=True)
    assert list(blank.parent.glob("nbdataops-view-*")) == []


@pytest.mark.parametrize("refused", ["no permission"], indirect=True)
def test_without_permission_to_write_a_plan_and_a_report_elsewhere_are_made(
    refused: Command, tmp_path: Path
) -> None:
    planned = told(refused("plan", "--json"))
    reported = told(refused("report", "--json", "--output", str(tmp_path / "report")))
    error = told(refused("run", "--json", "--force", "methods/rate"), ExitCode.INFRASTRUCTURE)["error"]

    assert {s["action"] for s in planned["stages"]} <= {"reuse", "skip"}
    assert Path(reported["report"]).is_file()
    assert (error["code"], "no permission" in error["what"]) == ("store-read-only", True)


@pytest.mark.parametrize("refused", ["mounted read-only"], indirect=True)
def test_on_a_disk_mounted_read_only_there_is_a_status_and_a_run_says_what_to_do(
    refused: Command, blank: Path
) -> None:
    (run,) = told(refused("status", "--json"))["runs"]
    error = told(refused("run", "--json", "--force", "methods/rate"), ExitCode.INFRASTRUCTURE)["error"]

    assert run["state"] == "succeeded"
    assert (error["code"], "mounted read-only" in error["what"]) == ("store-read-only", True)
    assert error["where"]["file"] == str(blank / ".nbdataops")
    assert "NBDATAOPS_STORE" in error["todo"]


def test_a_plan_ingests_a_new_delivery_without_leaving_it_and_all_that_must_write_is_refused(
    blank: Path, opened: Callable[[], Product]
) -> None:
    """Python's face of it, with a permission that is said to be missing."""
    product = opened()
    product.run()
    product.close()
    orders = blank / "data" / "orders.csv"
    *_, last = orders.read_text().splitlines()
    orders.write_text(orders.read_text() + last + "\n")
    before = contents(blank)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        looked = open_product(blank)
        actions = {n.action.value for n in looked.plan().nodes}
        for write in (looked.run, looked.build, looked.release, looked.report):
            with pytest.raises(StoreError, match="the store can only be read"):
                write()
        states = [run["state"] for run in looked.status().runs]
        looked.close()

    assert "run" in actions
    assert states == ["succeeded"]
    assert contents(blank) == before
