"""`nbdataops report`: write the report of what is built."""

from __future__ import annotations

from pathlib import Path

import click

from nbdataops.cli import options


@click.command("report")
@options.product
@options.as_json
@click.option("--output", "-o", type=click.Path(path_type=Path), default=None, help="Folder to write to.")
def command(root: Path, as_json: bool, output: Path | None) -> int:
    """Judge what is built under today's margins and write HTML and JSON; executes nothing.

    Exit code 2 when something that the report needs is not built.
    """
    from nbdataops.workspace import open_product

    report = open_product(root).report(output)
    if as_json:
        options.print_json(report.to_dict())
    else:
        click.echo(str(report.html))
    return 0
