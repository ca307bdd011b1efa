"""What makes two kernels siblings: whatever of it differs needs a fork server of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbdataops.kernel.circumstances import circumstances
from nbdataops.kernel.cold import NotWarmError
from nbdataops.kernel.environment_reads import normal, read_at_load
from nbdataops.kernel.purpose import Purpose

PROTOCOL = 4
"""Raised when client and server no longer understand each other."""
_LAUNCHER = ("-m", "ipykernel_launcher")


@dataclass(frozen=True, slots=True)
class KernelCommand:
    """A kernelspec's command, taken apart: `python [flags] -m ipykernel_launcher [arguments]`."""

    python: str
    flags: tuple[str, ...]
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, command: Iterable[str]) -> KernelCommand:
        """Raises NotWarmError for a command of another shape.

        >>> KernelCommand.of(["/bin/python3", "-X", "dev", "-m", "ipykernel_launcher", "-f", "k.json"]).flags
        ('-X', 'dev')
        """
        words = tuple(command)
        for at in range(1, len(words) - 1):
            if words[at : at + 2] == _LAUNCHER:
                return cls(words[0], words[1:at], words[at + 2 :])
        raise NotWarmError(f"the kernelspec's command does not run ipykernel_launcher: {' '.join(words[:4])}")

    @property
    def executable(self) -> str:
        """What an ordinary kernel of this command has in `sys.executable`."""
        return os.path.abspath(self.python)  # noqa: PTH100 - as the interpreter does, `..` and all

    @property
    def connection_file(self) -> Path:
        """The file that `-f` names. Raises NotWarmError when there is none."""
        if "-f" in self.arguments[:-1]:
            return Path(self.arguments[self.arguments.index("-f") + 1])
        raise NotWarmError("the kernelspec's command names no connection file")

    @property
    def further(self) -> tuple[str, ...]:
        """The arguments without the connection file."""
        at = self.arguments.index("-f")
        return (*self.arguments[:at], *self.arguments[at + 2 :])


@dataclass(frozen=True, slots=True)
class ServerKey:
    """Identity of a fork server. The state of the installed packages is not in it: the server watches that itself
    (`installed_state`), and ends when something was installed or edited."""

    python: str
    flags: tuple[str, ...]
    preload: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    place: tuple[tuple[str, str], ...]
    purpose: Purpose = Purpose.KERNELS

    @classmethod
    def of(
        cls,
        command: KernelCommand,
        preload: Iterable[str],
        environment: Mapping[str, str],
        further: Iterable[str] = (),
    ) -> ServerKey:
        """The key of this process's kernels. `further` names variables that a server said it had read."""
        return cls._of(command.python, command.flags, preload, environment, further, Purpose.KERNELS)

    @classmethod
    def of_commands(
        cls,
        flags: tuple[str, ...],
        preload: Iterable[str],
        environment: Mapping[str, str],
        further: Iterable[str] = (),
    ) -> ServerKey:
        """The key of the commands that this interpreter runs with these options of its own."""
        return cls._of(sys.executable, flags, preload, environment, further, Purpose.COMMANDS)

    @classmethod
    def _of(
        cls,
        python: str,
        flags: tuple[str, ...],
        preload: Iterable[str],
        environment: Mapping[str, str],
        further: Iterable[str],
        purpose: Purpose,
    ) -> ServerKey:
        wanted = tuple(dict.fromkeys(preload))
        variables = dict(read_at_load(environment, wanted))
        for name in further:
            value = normal(name, environment.get(name))
            variables[name] = "\0" if value is None else value
        # Not resolved: in a virtual environment the link, not the program it points to, tells which packages there are.
        python = _one_name(str(Path(python).absolute()))
        return cls(python, flags, wanted, tuple(sorted(variables.items())), circumstances(), purpose)

    @property
    def name(self) -> str:
        """Sixteen hexadecimal digits that stand for the key in names of files."""
        parts = [
            PROTOCOL,
            self.purpose.value,
            self.python,
            self.flags,
            self.preload,
            self.environment,
            self.place,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _one_name(python: str) -> str:
    """`python3` beside an interpreter, if it is the same: by which of its names it was called makes no difference.

    >>> _one_name("/nowhere/python")
    '/nowhere/python'
    """
    path = Path(python)
    usual = path.with_name("python3")
    try:
        return str(usual) if usual.samefile(path) else python
    except OSError:
        return python
