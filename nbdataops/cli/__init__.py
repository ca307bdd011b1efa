"""The command line: one module a verb, each loaded only when it is asked for.

Every verb takes `--product DIR` and `--json` (one documented JSON object on stdout and nothing else). Progress
and errors go to stderr; no verb prompts when stdin is no terminal. Exit codes: `nbdataops.errors.ExitCode`.

A run with nothing to do must not wait for imports: until it is known that there is something to do, nothing but
`json` and `os` is loaded, not even click.
"""

from __future__ import annotations

import sys

VERBS = {
    "init": "Copy a reference product, or start a blank one",
    "plan": "Show what would run, and why",
    "run": "The main job: build, validate, report, candidate",
    "build": "Execute stages only, without backtests and checks",
    "validate": "Backtest and compare the methods, and judge",
    "report": "Write the report of what is built",
    "release": "Hold the candidate against the gate",
    "status": "The last runs, their nodes and errors",
    "doctor": "Check this machine and this product",
    "papermill": "Execute one notebook: papermill's command line",
    "kernel": "Warm kernels: install, status, stop, doctor",
}


def main() -> None:
    """Run a command and end the process with the documented exit code."""
    if sys.argv[1:2] == ["run"]:
        from nbdataops.cli.unchanged import say_again

        code = say_again(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from nbdataops.cli.warm_runner import WarmRunner

    warm = WarmRunner.of_this_process()
    if warm is not None and (code := warm.run()) is not None:
        sys.exit(code)
    from nbdataops.cli.commands import run_command

    code = run_command()
    if warm is not None:
        warm.leave_server(code)
    sys.exit(code)
