"""A command that has something to execute is served by a process that has imported everything already.

papermill and what else a run needs take seconds to import. A fork server (`nbdataops.kernel`) has done that once, and
each command runs in a fork of it: same arguments, streams, folder, environment, exit code. Where there is no server
yet, or it does not suit, the command runs in this process as ever, and a server is started behind it for the next one.

Imports little, and that only for the verbs below: it comes before every one of them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbdataops.kernel.server_key import ServerKey

SWITCH = "NBDATAOPS_RUNNER"
"""Set to `cold` in the environment: every command runs in its own process, and no server is started."""
SERVED = frozenset({"build", "papermill", "plan", "report", "run", "validate"})
"""Verbs that take their imports from a server, if there is one."""
EXECUTING = frozenset({"build", "papermill", "run", "validate"})
"""Of those the ones that execute notebooks: a server is started after the first that did."""
IDLE_S = 600.0
CALL = "nbdataops.cli.commands:run_command"
PRELOAD = (
    "tqdm.std",
    "tqdm.auto",
    "click",
    "yaml",
    "nbformat.validator:get_validator",  # compiles a JSON schema, and keeps what came of it
    "nbformat.sign",
    "jupyter_client.manager",
    "jupyter_client.provisioning.factory:KernelProvisionerFactory.instance",  # reads all packages' entry points
    "jupyter_client.provisioning.local_provisioner",
    "nbclient",
    # Not papermill.cli: it looks at its standard streams when it is imported.
    "papermill.execute",
    "papermill.inspection",
    "IPython.paths",
    "psutil",
    "rich.live",
    "pydantic.main",
    "pydantic.types",
    "pydantic.dataclasses",
    "pydantic.functional_validators",
    "pydantic.json_schema",
    "pydantic.plugin._loader",
    "packaging.requirements",
    "sqlalchemy.dialects.sqlite",
    "xxhash",
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.pandas_compat",
    "pyarrow.vendored.version",
    "duckdb",
    "scipy.stats",
    "jinja2.ext",
    "nbconvert",
    "IPython.lib.lexers",
    "pygments.lexers.python",
    "pygments.styles.default",
    # Of nbdataops itself what the verbs load; only where it is an installed package, not a checkout.
    "nbdataops.cli.build",
    "nbdataops.cli.papermill",
    "nbdataops.cli.progress",
    "nbdataops.cli.run",
    "nbdataops.cli.summary",
    "nbdataops.cli.validate",
    "nbdataops.second_look",
    "nbdataops.build.engine",
    "nbdataops.build.executors.notebook",
    "nbdataops.kernel.provisioner",
    "nbdataops.kernel.lease",
    "nbdataops.report.run_report",
    "nbdataops.workspace",
    "nbdataops.verbs",
)


class WarmRunner:
    """Where this command line may be served."""

    def __init__(self, flags: tuple[str, ...], environment: dict[str, str]) -> None:
        self._flags, self._environment = flags, environment
        self._missing: ServerKey | None = None
        """Of the server that could have served this command, and is not there."""

    @classmethod
    def of_this_process(cls) -> WarmRunner | None:
        """None when this command line is not one to be served, or a switch says so."""
        words = sys.argv[1:]
        if sys.platform != "linux" or not words or words[0] not in SERVED or {"-h", "--help"} & {*words}:
            return None
        if os.environ.get(SWITCH, "").lower() == "cold" or "NBDATAOPS_ASSIGNMENT" in os.environ:
            return None
        flags = _flags()
        return None if flags is None else cls(flags, dict(os.environ))

    def run(self) -> int | None:
        """Have the command run in a forked process, and give its exit code; None: run it here."""
        from nbdataops.kernel.cold import NotWarmError
        from nbdataops.kernel.switch import off_reason

        if off_reason() is not None:
            return None
        try:
            return self._ask()
        except NotWarmError as why:
            self._note(str(why))
            return None

    def leave_server(self, code: int) -> None:
        """After a command that ran here and executed something: start the server that was missing. Never fails."""
        from nbdataops.errors import ExitCode

        ended_early = {ExitCode.USAGE, ExitCode.HUNG_UP, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
        executed = "nbdataops.build.engine" in sys.modules and sys.argv[1] in EXECUTING
        if self._missing is None or code in ended_early or not executed:
            return
        from nbdataops.kernel.cold import NotWarmError
        from nbdataops.kernel.runtime_folder import runtime_folder
        from nbdataops.kernel.starting import start_unattended

        try:
            start_unattended(runtime_folder(), self._missing, self._environment, IDLE_S)
        except (NotWarmError, OSError) as why:
            self._note(str(why))

    def _note(self, why: str) -> None:
        """For `nbdataops kernel status`; not where there is no safe folder for it."""
        import contextlib

        from nbdataops.kernel.cold import NotWarmError, record
        from nbdataops.kernel.runtime_folder import place, runtime_folder

        with contextlib.suppress(NotWarmError, OSError):
            if place().is_dir():
                record(runtime_folder(), f"runner: {why}", os.getcwd())  # noqa: PTH109

    def _ask(self) -> int | None:
        """Raises NotWarmError."""
        from nbdataops.kernel.cold import NotWarmError
        from nbdataops.kernel.command_lease import CommandLease, end_by_signal
        from nbdataops.kernel.command_request import CommandRequest
        from nbdataops.kernel.runtime_folder import connect, place, runtime_folder
        from nbdataops.kernel.server_key import ServerKey
        from nbdataops.kernel.server_place import ServerPlace

        folder = place()
        further: tuple[str, ...] = ()
        for _ in range(4):  # once for each set of variables that a server says it has read
            try:
                key = ServerKey.of_commands(self._flags, PRELOAD, self._environment, further)
                there = folder.is_dir() and connect(ServerPlace(runtime_folder(), key.name).socket)
                if not there:
                    self._missing = key
                    return None
                request = CommandRequest.of_this_process(CALL)
            except OSError as error:
                raise NotWarmError(str(error)) from error
            lease = CommandLease(there)
            code = lease.run(request)
            if lease.refused is None:
                if code < 0:
                    end_by_signal(-code)
                return code
            if lease.refused.get("stale"):
                self._missing = key
            names = set(lease.refused.get("environment", ()))
            if not names or names <= set(further):
                raise NotWarmError(str(lease.refused["why"]))
            further = tuple(sorted({*further, *names}))
        raise NotWarmError("every server has read other variables")


def _flags() -> tuple[str, ...] | None:
    """This interpreter's own options; None when it was not started as `nbdataops` or `python -m nbdataops`."""
    words = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    if sys.orig_argv[len(words) :] != sys.argv[1:]:
        return None
    if words[-2:] == ["-m", "nbdataops"]:
        return tuple(words[1:-2])
    if words[-1:] == sys.argv[:1] and os.path.basename(words[-1]) == "nbdataops":  # noqa: PTH119
        return tuple(words[1:-1])
    return None
