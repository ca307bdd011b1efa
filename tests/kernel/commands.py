"""Commands as tests start them, cold and warm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.kernel.kernels import Servers

CLIENT = Path(__file__).parent / "command_client.py"


def environment(servers: Servers, warm: bool, **variables: str) -> dict[str, str]:
    """Of a client of these servers, or of one that has nothing to do with any."""
    names = ("PYTEST_CURRENT_TEST", "NBDATAOPS_KERNELS", "NBDATAOPS_RUNNER", "WARM")
    kept = {k: v for k, v in os.environ.items() if k not in names} | servers.variables | variables
    return kept | ({"WARM": variables.get("WARM", "yaml")} if warm else {})


def code(
    servers: Servers, source: str, *words: str, warm: bool = True, **how: Any
) -> subprocess.Popen[bytes]:
    """Start a command that executes `source`; its three streams are pipes unless `how` says otherwise."""
    python, client = how.pop("python", sys.executable), how.pop("client", CLIENT)
    variables = environment(servers, warm, **how.pop("env", {}))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([python, str(client), source, *words], env=variables, **(pipes | how))


def run(
    servers: Servers, source: str, *words: str, typed: bytes = b"", **how: Any
) -> tuple[int, bytes, bytes]:
    """(exit code, standard output, standard error) of a command that executes `source`."""
    process = code(servers, source, *words, **how)
    out, error = process.communicate(typed, timeout=120)
    return process.returncode, out, error
