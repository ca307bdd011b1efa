"""`nbdataops` on the command line, run by fork servers of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbdataops.kernel.cold import recorded
from nbdataops.kernel.status import statuses
from tests.conftest import REPOSITORY
from tests.kernel.commands import environment
from tests.kernel.kernels import Servers, wait_for

PROGRAM = Path(sys.executable).with_name("nbdataops")


class Commands:
    """`nbdataops` as a client of some servers."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def __call__(self, *words: str, cwd: Path, **how: Any) -> subprocess.CompletedProcess[str]:
        command = how.pop("command", [PROGRAM])
        variables = environment(self.servers, False, **how.pop("env", {}))
        return subprocess.run(
            [*command, *words], cwd=cwd, env=variables, capture_output=True, text=True, check=False,
            timeout=240, **how,
        )  # fmt: skip

    def start(self, *words: str, cwd: Path, **how: Any) -> subprocess.Popen[str]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        variables = environment(self.servers, False)
        return subprocess.Popen([PROGRAM, *words], cwd=cwd, env=variables, text=True, **(streams | how))

    @property
    def server(self) -> dict[str, Any] | None:
        """What the server for commands says, when it is there."""
        found = [s for s in statuses(self.servers.folder) if s.get("serves") == "commands"]
        return found[0] if found else None

    def served(self) -> int:
        """How many commands have been served so far."""
        server = self.server
        return 0 if server is None else int(server["forks"])


@pytest.fixture(scope="module")
def nbdataops(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """With the server that a first command, of another product, has left behind."""
    commands = Commands(servers)
    root = tmp_path_factory.mktemp("first") / "product"
    shutil.copytree(REPOSITORY / "notebooks" / "blank", root, ignore=shutil.ignore_patterns(".*"))
    first = commands("build", "methods/rate", cwd=root)
    assert first.returncode == 0, first.stderr
    assert wait_for(lambda: commands.server), recorded(servers.folder)
    assert commands.served() == 0
    return commands
