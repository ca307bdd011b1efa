"""Fixtures that many tests share: a small product on disk, and a fake kernel to run it with."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbdataops.build.executors.fake import FakeKernel
from nbdataops.kernel.status import stop
from nbdataops.workspace import Product, open_product

REPOSITORY = Path(__file__).parent.parent
os.environ["NBDATAOPS_RUNNER"] = "cold"
"""For all commands that tests start; those of the warm runner itself say otherwise (tests/kernel/commands.py)."""


def pytest_configure(config: pytest.Config) -> None:
    """Fork servers of this test session's own, which all its workers share; and Ctrl-C means what it does in a terminal,
    also where the tests run in the background of a script, which is told to ignore it."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    if not hasattr(config, "workerinput"):
        os.environ["NBDATAOPS_KERNEL_DIR"] = tempfile.mkdtemp(prefix="nbdk-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ["NBDATAOPS_KERNEL_DIR"])
        stop(folder, kernels=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_loop_of_the_browsers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright leaves its event loop running in the thread of the tests, where then no other can run."""
    loop = asyncio._get_running_loop()
    if loop is None or request.node.get_closest_marker("browser"):
        yield
        return
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture(autouse=True)
def _no_store_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NBDATAOPS_STORE", raising=False)
    monkeypatch.delenv("NBDATAOPS_ASSIGNMENT", raising=False)


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    """A copy of the blank reference product: one source, one table, two methods, the outcome."""
    target = tmp_path / "my-ltv"
    shutil.copytree(REPOSITORY / "notebooks" / "blank", target, ignore=shutil.ignore_patterns(".*"))
    return target


@pytest.fixture
def opened(blank: Path) -> Callable[[], Product]:
    """Open the blank product anew, as a new command would, with a fake kernel: `opened().executor.executed`."""

    def open_it() -> Product:
        product = open_product(blank)
        product.executor = FakeKernel()
        return product

    return open_it


class Notebook:
    """A notebook file that a test edits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def cells(self) -> list[dict[str, object]]:
        return json.loads(self.path.read_text())["cells"]  # type: ignore[no-any-return]

    def edit(self, change: Callable[[dict[str, object]], None]) -> None:
        content = json.loads(self.path.read_text())
        change(content)
        self.path.write_text(json.dumps(content))

    def replace(self, old: str, new: str) -> None:
        """Replace text in all cells; the text must be there."""

        def change(content: dict[str, object]) -> None:
            found = False
            for cell in content["cells"]:  # type: ignore[attr-defined]
                source = "".join(cell["source"])
                found = found or old in source
                cell["source"] = source.replace(old, new)
            assert found, f"{old!r} is not in {self.path}"

        self.edit(change)

    def append(self, source: str, kind: str = "code") -> None:
        cell: dict[str, object] = {"cell_type": kind, "id": "added", "metadata": {}, "source": source}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        self.edit(lambda content: content["cells"].append(cell))  # type: ignore[attr-defined]

    @classmethod
    def write(cls, path: Path, cells: list[str], parameters: str | None = None) -> Notebook:
        """A new notebook of code cells, the first tagged `parameters` when those are given."""
        sources = ([(parameters, ["parameters"])] if parameters is not None else []) + [
            (c, []) for c in cells
        ]
        made = [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {"tags": tags} if tags else {},
                "source": source,
                "execution_count": None,
                "outputs": [],
            }
            for number, (source, tags) in enumerate(sources)
        ]
        spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
        content = {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return cls(path)


@pytest.fixture(scope="session")
def cdnow_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, dict[str, object]]:
    """The main job on the full CDNOW log with real kernels, once a test session: (the product's folder, the JSON).

    With pytest-xdist the first worker that asks runs it, the others wait for its end, and each has a copy.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    target, said = shared / "main-job-of-all" / "cdnow", shared / "main-job.json"
    with (shared / "main-job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            shutil.rmtree(target, ignore_errors=True)  # of a run that failed: let this one say how
            shutil.copytree(REPOSITORY / "notebooks" / "cdnow", target, ignore=shutil.ignore_patterns(".*"))
            command = [sys.executable, "-m", "nbdataops", "run", "--product", str(target), "--json"]
            environment = {
                k: v for k, v in os.environ.items() if k not in {"NBDATAOPS_STORE", "NBDATAOPS_ASSIGNMENT"}
            }
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            assert done.returncode == 0, done.stderr
            said.write_text(done.stdout)
        mine = shutil.copytree(target, tmp_path_factory.mktemp("main-job") / "cdnow")
    return mine, json.loads(said.read_text())
