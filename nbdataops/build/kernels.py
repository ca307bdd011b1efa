"""Kernels for stages: started with the runner's own interpreter, whatever kernelspecs are installed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from nbdataops.kernel.kernelspec import PROVISIONER
from nbdataops.kernel.provisioner import WarmProvisioner

NAME = "nbdataops"


class OwnInterpreter(KernelSpecManager):
    """Knows one kernelspec, made in code: forked kernels of this interpreter, history in memory.

    `preload` are the third-party modules that their fork server imports ahead. Where there can be no forked kernels
    the same kernelspec starts ordinary ones (`nbdataops.kernel.provisioner`).
    """

    def __init__(self, preload: Sequence[str]) -> None:
        super().__init__()
        self.preload = tuple(preload)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        provisioner = {"provisioner_name": PROVISIONER, "config": {"preload": list(self.preload)}}
        return KernelSpec(
            argv=[*argv, "--HistoryManager.hist_file=:memory:"],
            display_name="Python 3 (ipykernel)",
            language="python",
            metadata={"debugger": False, "kernel_provisioner": provisioner},
        )


def kernel_manager(folder: Path, preload: Sequence[str] = ()) -> AsyncKernelManager:
    """A manager whose sockets live in `folder`: no ports, hence no race for them (1 % of starts over TCP fail so)."""
    manager = AsyncKernelManager(
        kernel_name=NAME,
        kernel_spec_manager=OwnInterpreter(preload),
        connection_file=str(folder / "kernel.json"),
    )
    if os.name == "posix" and len(str(folder)) < 80:  # a socket's path may have 107 bytes
        manager.transport = "ipc"
        manager.ip = str(folder / "k")
    return manager


def kill_group(manager: Any) -> None:
    """Kill the kernel and everything it started that stayed in its process group; one that still waits for its fork
    server is not started."""
    provisioner = getattr(manager, "provisioner", None)
    if isinstance(provisioner, WarmProvisioner):
        provisioner.give_up()
    group = getattr(provisioner, "pgid", None) or getattr(provisioner, "pid", None)
    if os.name == "posix" and isinstance(group, int) and group > 1 and group != os.getpgid(0):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
