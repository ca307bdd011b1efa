"""Whether this process may have anything from a fork server at all."""

from __future__ import annotations

import os
import sys

SWITCH = "NBDATAOPS_KERNELS"
"""Set to `cold` in a client's environment: ordinary kernels only."""


def off_reason() -> str | None:
    """Why this client has no warm kernels at all, if so."""
    if sys.platform != "linux":
        return f"warm kernels need Linux; this is {sys.platform}"
    if not hasattr(os, "pidfd_open"):
        return "warm kernels need a Python and a Linux (5.3 or newer) with pidfd_open"
    if os.environ.get(SWITCH, "").lower() == "cold":
        return f"{SWITCH}=cold"
    return None
