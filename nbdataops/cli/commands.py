"""The verbs as click commands: all are listed, one is imported; and what becomes of their errors."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import click

from nbdataops import __version__
from nbdataops.cli import VERBS
from nbdataops.errors import ExitCode, NbdataopsError


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


def run_command() -> int:
    """Run what the command line says and return the exit code; an error becomes one message, text or JSON."""
    wants_json = "--json" in sys.argv
    try:
        code = commands.main(standalone_mode=False)
    except NbdataopsError as error:
        _fail(error.to_dict(), str(error), wants_json)
        return int(error.exit_code)
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
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        _fail(
            {"code": "cancelled", "what": "cancelled", "where": {}, "todo": "", "detail": ""},
            "cancelled",
            wants_json,
        )
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        return cannot_say(error)
    return int(code) if isinstance(code, int) else int(ExitCode.OK)


def cannot_say(error: OSError) -> int:
    """The exit code when standard output takes no more: its reader went away, or a disk is full."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return int(ExitCode.OK)
    _tell(f"error: {error.strerror or error}: what this command says cannot be written", err=True)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the interpreter flushes it at its end
    return int(ExitCode.INFRASTRUCTURE)


def _fail(shown: dict[str, Any], text: str, wants_json: bool) -> None:
    if wants_json:
        _tell(json.dumps({"ok": False, "error": shown}), err=False)
    _tell(click.style("error: ", fg="red", bold=True) + text, err=True)


def _tell(text: str, *, err: bool) -> None:
    """Say it, if anybody can hear: where a terminal was closed the exit code still tells."""
    try:
        click.echo(text, err=err)
    except OSError:  # the interpreter flushes the stream at its end, which would change the exit code
        setattr(sys, "stderr" if err else "stdout", open(os.devnull, "w"))  # noqa: PTH123, SIM115
