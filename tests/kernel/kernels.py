"""Kernels and fork servers as tests see them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import KernelManager

from nbdataops.kernel.leftovers import sweep
from nbdataops.kernel.status import stop

PATIENCE_S = 120.0
"""For anything that must come: machines are slow sometimes, and a test that waits for nothing is not."""


@dataclass
class Said:
    """What a cell gave: status, text of the streams, plain text of results, name of the error."""

    status: str
    streams: dict[str, str] = field(default_factory=lambda: {"stdout": "", "stderr": ""})
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    traceback: str = ""

    @property
    def out(self) -> str:
        assert self.status == "ok", self.traceback
        return self.streams["stdout"]

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def result(self) -> str:
        assert self.status == "ok", self.traceback
        return str(self.results[-1]["text/plain"])


class Running:
    """A started kernel with its manager and client."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self.manager, self.client = manager, client

    @classmethod
    def start(cls, spec: str, **launch: Any) -> Running:
        manager = KernelManager(kernel_name=spec)
        manager.start_kernel(**launch)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=PATIENCE_S)
        except RuntimeError:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            raise
        return cls(manager, client)

    @property
    def cold_reason(self) -> str | None:
        return self.manager.provisioner.cold_reason  # type: ignore[union-attr, no-any-return]

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str, answer: str | None = None) -> Said:
        """Execute a cell to its end; `answer` is typed when it asks for input."""
        said = Said("")

        def heard(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.streams[content["name"]] += content["text"]
            elif message["msg_type"] in ("execute_result", "display_data"):
                said.results.append(content["data"])
            elif message["msg_type"] == "error":
                said.error, said.traceback = content["ename"], "\n".join(content["traceback"])

        reply = self.client.execute_interactive(
            code,
            timeout=PATIENCE_S,
            output_hook=heard,
            allow_stdin=answer is not None,
            stdin_hook=lambda _: self.client.input(answer),
        )
        said.status = reply["content"]["status"]
        return said

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)


@dataclass
class Servers:
    """A runtime folder with its fork servers."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "run"

    @property
    def variables(self) -> dict[str, str]:
        """What makes a process a client of these servers."""
        return {
            "NBDATAOPS_KERNEL_DIR": str(self.folder),
            "JUPYTER_PATH": str(self.home / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(self.home / "runtime"),
            "IPYTHONDIR": str(self.home / "ipython"),
        }

    def processes(self) -> list[psutil.Process]:
        """The servers and every process that descends from them, recognised by what they were started with."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if (
                    str(self.folder) in " ".join(process.cmdline())
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found

    def servers(self) -> list[psutil.Process]:
        """Those processes that are no kernels: their parent is not one of them."""
        all_of_them = {p.pid for p in self.processes()}
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if process.ppid() not in all_of_them:
                    found.append(process)
        return found

    def stop(self) -> None:
        """End everything as `nbdataops kernel stop --now` does, and wait for the kernels of servers that are gone."""
        stop(self.folder, kernels=True)

        def nothing_left() -> bool:
            sweep(self.folder)
            return not self.left()

        wait_for(nothing_left)

    def left(self) -> list[str]:
        """Processes, sockets and locks that are still there."""
        files = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return [f"process {p.pid}" for p in self.processes()] + [f for f in files if f != "cold-starts.jsonl"]


def wait_for(found: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
    """Look until `found` gives something true; that, or what it gave last."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not (value := found()) and time.monotonic() < deadline:
        pause.wait(0.02)
    return value


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
