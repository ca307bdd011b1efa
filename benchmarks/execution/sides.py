"""The two sides: stock papermill in an environment of its own, and this environment with warm kernels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Duration
from benchmarks.installed_copy import install
from benchmarks.peer_environments import python_with
from nbdataops.kernel.status import statuses, stop

ROOT = Path(__file__).parent.parent.parent
REQUIREMENTS = Path(__file__).parent / "requirements" / "papermill.txt"
API = "papermill's API"

Way = Callable[[], Duration]
"""Does it once, and says how long it took."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Fork servers of a benchmark's own, and kernelspecs `nbdataops` (as shipped) and `forked` (without standbys).

    `programs`: an environment with nbdataops as a wheel installs it.
    """

    home: Path
    programs: Path

    @property
    def folder(self) -> Path:
        return self.home / "run"

    @property
    def variables(self) -> dict[str, str]:
        """Of the environment of whoever is to use these servers; the runner, too, is to use warm kernels."""
        return {
            "NBDATAOPS_KERNEL_DIR": str(self.folder),
            "NBDATAOPS_KERNELS": "warm",
            "JUPYTER_PATH": str(self.home / "jupyter"),
        }

    def wait_for_standby(self) -> None:
        """Until a standby kernel is ready: `ahead of need` is what is measured, not how fast one follows."""
        deadline = time.monotonic() + 120
        while not any(server["standbys"] for server in statuses(self.folder)):
            if time.monotonic() > deadline:
                raise SystemExit("no standby kernel came")
            time.sleep(0.02)


@contextmanager
def servers() -> Iterator[Servers]:
    home = Path(tempfile.mkdtemp(prefix="nbdk-"))
    kernels = home / "jupyter" / "kernels"
    shutil.copytree(ROOT / "kernels", kernels)
    spec = json.loads((kernels / "nbdataops" / "kernel.json").read_text())
    spec["metadata"]["kernel_provisioner"]["config"]["standby"] = 0
    (kernels / "forked").mkdir()
    (kernels / "forked" / "kernel.json").write_text(json.dumps(spec))
    made = Servers(home, install(home))
    try:
        yield made
    finally:
        stop(made.folder, kernels=True)
        shutil.rmtree(home)


class Side:
    """A worker process of one side."""

    def __init__(self, python: Path, variables: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [python, str(Path(__file__).parent / "worker.py")],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, do: str, **what: Any) -> None:
        """Tell it to do something; `answer` waits for the end."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "what": what}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What the worker found, mostly seconds."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended with code {self._process.wait()}: its error is above")
        return json.loads(line)

    def does(self, do: str, **what: Any) -> Duration:
        self.begin(do, **what)
        return Duration(float(self.answer()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def both(made: Servers) -> Iterator[tuple[Side, Side]]:
    """(ours, stock papermill's)."""
    with ExitStack() as stack:
        yield stack.enter_context(ours_of(made)), stack.enter_context(stock_side())


@contextmanager
def ours_of(made: Servers) -> Iterator[Side]:
    """A worker of our side, with warm kernels."""
    side = Side(made.programs / "python", made.variables)
    try:
        yield side
    finally:
        side.close()


@contextmanager
def stock_side() -> Iterator[Side]:
    """A worker of stock papermill."""
    side = Side(stock_python(), {})
    try:
        yield side
    finally:
        side.close()


def in_turns(ways: Sequence[Way], rounds: int) -> list[tuple[Duration, ...]]:
    """What each way took each round; the order is reversed every other round. Whoever needs it warms up before."""
    durations: list[list[Duration]] = [[] for _ in ways]
    numbered = list(enumerate(ways))
    for number in range(rounds):
        for i, way in numbered if number % 2 == 0 else reversed(numbered):
            durations[i].append(way())
    return [tuple(took) for took in durations]


def as_fast(
    what: str, ours: Way, against: str, other: Way, rounds: int, *, at_least: float, warm_up: bool = True
) -> Comparison:
    """Two ways in turns, of which the first should be so many times as fast; once unmeasured before."""
    if warm_up:
        ours(), other()
    return Comparison(what, against, *in_turns((ours, other), rounds), asked=1 / at_least)


def command(arguments: Sequence[str | Path], variables: Mapping[str, str], folder: Path) -> Duration:
    """The whole of a command, from its start to its end, in an environment without settings of this process's."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("NBDATAOPS_", "PYTHON", "JUPYTER_"))}
    began = time.perf_counter()
    done = subprocess.run(
        [str(a) for a in arguments], cwd=folder, env=outside | dict(variables), capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} ended with code {done.returncode}:\n{done.stderr}")
    return Duration(seconds)


def write_notebook(path: Path, sources: Sequence[str]) -> str:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
        for n, source in enumerate(sources)
    ]  # fmt: skip
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})
    )
    return str(path)


def stock_python() -> Path:
    """The Python of an environment with stock papermill and its own kernelspec; PeerMissingError if there can be none."""
    return python_with(REQUIREMENTS, [["-m", "ipykernel", "install", "--sys-prefix"]])
