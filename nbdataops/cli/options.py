"""Options that several verbs share, each defined once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class _Date(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date like 1998-06-30", param, ctx)


def product(f: F) -> F:
    return click.option(
        "--product",
        "-P",
        "root",
        type=click.Path(path_type=Path),
        default=Path(),
        help="Folder of the product, or any folder inside it.",
    )(f)


def as_json(f: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else.")(f)


def as_of(f: F) -> F:
    return click.option("--as-of", type=_Date(), default=None, help="Instead of the product's own as_of.")(f)


def jobs(f: F) -> F:
    return click.option(
        "--jobs", "-j", type=click.IntRange(1), default=None, help="Stages at once; default: number of cores."
    )(f)


def parameters(f: F) -> F:
    return click.option(
        "--parameter",
        "-p",
        "parameters",
        nargs=2,
        multiple=True,
        metavar="NAME VALUE",
        help="Override a parameter of the notebooks (YAML value); repeatable.",
    )(f)


def force(f: F) -> F:
    return click.option("--force", multiple=True, metavar="STAGE", help="Run this stage again; repeatable.")(
        f
    )


def keep_going(f: F) -> F:
    return click.option(
        "--keep-going",
        "-k",
        is_flag=True,
        help="After a failure, go on with all that does not need what failed.",
    )(f)


def print_json(value: Any) -> None:
    click.echo(json_line(value))


def json_line(value: Any) -> str:
    """The one line that `--json` prints."""
    return json.dumps(value, default=str, ensure_ascii=False)


def parsed(pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """`-p name value` as a dict, values read as YAML scalars (so that 13 is a number and 1998-06-30 a date)."""
    import yaml

    from nbdataops.errors import UsageError

    out: dict[str, Any] = {}
    for name, text in pairs:
        if name in out:
            raise UsageError(f"parameter {name} is given twice", todo="give each -p NAME once")
        try:
            out[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"the value of parameter {name} cannot be read: {error}") from error
    return out
