"""The command line: one module a verb, each loaded only when it is asked for.

Every verb takes `--product DIR` and `--json` (one documented JSON object on stdout and nothing else). Progress
and errors go to stderr; no verb prompts when stdin is no terminal. Exit codes: `nbdataops.errors.ExitCode`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import click

from nbdataops import __version__
from nbdataops.errors import ExitCode, NbdataopsError

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
    "kernel": "Warm kernels: install, status, stop, doctor",
}


class Verbs(click.Group):
    """Lists all verbs, imports one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"nbdataops.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and name not in VERBS:
            from nbdataops.errors import did_you_mean

            raise click.UsageError(f"No such verb {name!r}: {did_you_mean(name, VERBS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nbdataops")
def commands() -> None:
    """DataOps for notebooks: build, validate and release a metric."""


def main() -> None:
    """Run a command; errors become one message (text or JSON) and the documented exit code."""
    wants_json = "--json" in sys.argv
    try:
        code = commands.main(standalone_mode=False)
    except NbdataopsError as error:
        _fail(error.to_dict(), str(error), wants_json)
        sys.exit(int(error.exit_code))
    except click.ClickException as error:
        _fail(
            {
                "code": "usage",
                "what": error.format_message(),
                "where": {},
                "todo": "nbdataops --help",
                "detail": "",
            },
            f"{error.format_message()}\n  nbdataops --help shows what there is",
            wants_json,
        )
        sys.exit(int(ExitCode.USAGE))
    except (KeyboardInterrupt, click.Abort):
        _fail(
            {"code": "cancelled", "what": "cancelled", "where": {}, "todo": "", "detail": ""},
            "cancelled",
            wants_json,
        )
        sys.exit(int(ExitCode.INTERRUPTED))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            sys.stderr.close()
            sys.exit(int(ExitCode.OK))
        click.echo(f"error: {error.strerror or error}: what this command says cannot be written", err=True)
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the interpreter flushes it at its end
        sys.exit(int(ExitCode.INFRASTRUCTURE))
    sys.exit(int(code) if isinstance(code, int) else int(ExitCode.OK))


def _fail(shown: dict[str, Any], text: str, wants_json: bool) -> None:
    if wants_json:
        click.echo(json.dumps({"ok": False, "error": shown}))
    click.echo(click.style("error: ", fg="red", bold=True) + text, err=True)
