"""A program that has Python code run as a command: in a process of its own, or (WARM is set) by a fork server.

`python command_client.py CODE [WORD]...`: the code is executed with `sys.argv[2:]` as words. What it does, prints and
ends with must not tell one way from the other.
"""

from __future__ import annotations

import os
import sys


def program() -> int:
    exec(compile(sys.argv[1], "<code>", "exec"), {"__name__": "<code>"})
    return 0


def served(preload: tuple[str, ...]) -> int:
    from nbdataops.kernel.command_lease import CommandLease, end_by_signal
    from nbdataops.kernel.command_request import CommandRequest
    from nbdataops.kernel.runtime_folder import runtime_folder
    from nbdataops.kernel.server_key import ServerKey
    from nbdataops.kernel.starting import server_connection

    key = ServerKey.of_commands((), preload, os.environ)
    connection = server_connection(runtime_folder(), key, os.environ, 600.0)
    lease = CommandLease(connection)
    code = lease.run(CommandRequest.of_this_process("command_client:program"))
    if lease.refused is not None:
        sys.exit(f"refused: {lease.refused['why']}")
    if code < 0:
        end_by_signal(-code)
    return code


if __name__ == "__main__":
    preloaded = os.environ.pop("WARM", None)
    sys.exit(program() if preloaded is None else served(tuple(preloaded.split())))
