"""Is this machine fit for warm kernels? Looks, and starts one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from nbdataops.finding import Finding
from nbdataops.kernel.cold import NotWarmError
from nbdataops.kernel.kernelspec import NAME, PROVISIONER
from nbdataops.kernel.room import lacking_room
from nbdataops.kernel.runtime_folder import VARIABLE, runtime_folder
from nbdataops.kernel.status import statuses
from nbdataops.kernel.switch import off_reason

START_S = 180.0


def examine() -> Iterator[Finding]:
    """All findings; what comes after one that is not ok may not be looked at."""
    off = off_reason()
    yield Finding("system", off is None, off or "Linux, with process descriptors", "kernels start, but cold")
    if off is not None:
        return
    try:
        yield Finding("folder", True, str(runtime_folder()))
    except NotWarmError as error:
        yield Finding(
            "folder", False, str(error), f"set {VARIABLE} to a folder that is or can be yours alone (0700)"
        )
        return
    lack = lacking_room(runtime_folder())
    yield Finding("room", lack is None, lack or "shared memory, temporary files, sockets", "free some")
    found = [
        _attempt("kernelspec", _kernelspec, "nbdataops kernel install"),
        _attempt("provisioner", _provisioner, "pip install --force-reinstall nbdataops"),
    ]
    yield from found
    if not all(finding.ok for finding in found):
        return
    yield _attempt("warm kernel", _warm_kernel, "nbdataops kernel status shows the reason")
    excluded = {item for server in statuses(runtime_folder()) for item in server.get("excluded", {}).items()}
    for module, why in sorted(excluded):
        yield Finding("not preloaded", True, f"{module}: {why}")


def _attempt(name: str, look: Callable[[], str], todo: str) -> Finding:
    try:
        return Finding(name, True, look())
    except Exception as error:  # whatever goes wrong is what was found
        return Finding(name, False, f"{type(error).__name__}: {error}", todo)


def _kernelspec() -> str:
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec(NAME)
    named = spec.metadata.get("kernel_provisioner", {}).get("provisioner_name")
    if named != PROVISIONER:
        raise LookupError(f"{spec.resource_dir} names the provisioner {named!r}")
    return f"{spec.resource_dir}, {spec.argv[0]}"


def _provisioner() -> str:
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    entries = KernelProvisionerFactory.instance().get_provisioner_entries()
    return entries[PROVISIONER]


def _warm_kernel() -> str:
    """Start two kernels (the first may have to start the server), and have the second one answer."""
    from jupyter_client.manager import KernelManager

    seconds = 0.0
    for _ in range(2):
        manager = KernelManager(kernel_name=NAME)
        began = time.monotonic()
        manager.start_kernel(env={k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"})
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=START_S)
            seconds = time.monotonic() - began
            client.execute_interactive("assert 1 + 1 == 2", timeout=START_S)
            reason = getattr(manager.provisioner, "cold_reason", "another provisioner started it")
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        if reason is not None:
            raise NotWarmError(reason)
    return f"ready in {seconds * 1e3:.0f} ms"
