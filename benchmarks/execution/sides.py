"""The two sides: stock papermill in an environment of its own, and this environment with warm kernels."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparison import Comparison, Duration, PeerMissingError
from nbdataops.kernel.status import statuses, stop

ROOT = Path(__file__).parent.parent.parent
REQUIREMENTS = Path(__file__).parent / "requirements" / "papermill.txt"


@dataclass(frozen=True, slots=True)
class Servers:
    """Fork servers of a benchmark's own, and kernelspecs `nbdataops` (as shipped) and `forked` (without standbys)."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "run"

    @property
    def variables(self) -> dict[str, str]:
        return {"NBDATAOPS_KERNEL_DIR": str(self.folder), "JUPYTER_PATH": str(self.home / "jupyter")}

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
    made = Servers(home)
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

    def does(self, do: str, **what: Any) -> Duration:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "what": what}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended with code {self._process.wait()}: its error is above")
        return Duration(float(json.loads(line)))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def both(made: Servers) -> Iterator[tuple[Side, Side]]:
    """(ours, stock papermill's)."""
    ours, stock = Side(Path(sys.executable), made.variables), Side(stock_python(), {})
    try:
        yield ours, stock
    finally:
        ours.close()
        stock.close()


def in_turns(what: str, ours: Any, against: str, other: Any, rounds: int, at_least: float) -> Comparison:
    """Both ways once unmeasured, then in turns; the order is reversed every other round."""
    ours(), other()
    durations: dict[Any, list[Duration]] = {ours: [], other: []}
    for number in range(rounds):
        for way in (ours, other) if number % 2 == 0 else (other, ours):
            durations[way].append(way())
    return Comparison(what, against, tuple(durations[ours]), tuple(durations[other]), asked=1 / at_least)


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
    """The Python of an environment with stock papermill; PeerMissingError if pip cannot make it."""
    folder = ROOT / ".venv-peers" / "papermill"
    python, stamp = folder / "bin" / "python", folder / ".installed"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return python
    print(f"making {os.path.relpath(folder)} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(REQUIREMENTS),
        ],
        [str(python), "-m", "ipykernel", "install", "--sys-prefix"],
    ):
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise PeerMissingError(f"papermill cannot be installed here: {' '.join(command[:4])} ... failed")
    stamp.write_text(digest)
    return python
