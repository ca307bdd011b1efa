"""Kernels for stages: started with the runner's own interpreter, whatever kernelspecs are installed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from nbdataops.kernel.imported_names import preload_for
from nbdataops.kernel.kernelspec import PROVISIONER

NAME = "nbdataops"
SWITCH = "NBDATAOPS_KERNELS"
"""Set to `warm` in the runner's environment: stages run in forked kernels (`nbdataops.kernel`)."""


class OwnInterpreter(KernelSpecManager):
    """Knows one kernelspec, made in code: this interpreter, history in memory."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        metadata: dict[str, Any] = {"debugger": False}
        if os.environ.get(SWITCH) == "warm":
            config = {"preload": list(preload_for(None))}
            metadata["kernel_provisioner"] = {"provisioner_name": PROVISIONER, "config": config}
        return KernelSpec(
            argv=[*argv, "--HistoryManager.hist_file=:memory:"],
            display_name="Python 3 (ipykernel)",
            language="python",
            metadata=metadata,
        )


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """A manager whose sockets live in `folder`: no ports, hence no race for them (research: 1 % of TCP starts)."""
    manager = AsyncKernelManager(
        kernel_name=NAME,
        kernel_spec_manager=OwnInterpreter(),
        connection_file=str(folder / "kernel.json"),
    )
    if os.name == "posix" and len(str(folder)) < 80:  # a socket's path may have 107 bytes
        manager.transport = "ipc"
        manager.ip = str(folder / "k")
    return manager


def kill_group(manager: Any) -> None:
    """Kill the kernel and everything it started that stayed in its process group."""
    provisioner = getattr(manager, "provisioner", None)
    group = getattr(provisioner, "pgid", None) or getattr(provisioner, "pid", None)
    if os.name == "posix" and isinstance(group, int) and group > 1 and group != os.getpgid(0):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
