"""`nbdataops init`: copy a reference product, or start a blank one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from nbdataops.cli import options


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from", "reference", default="blank", show_default=True, help="A reference product, or blank."
)
@options.as_json
def command(folder: Path, reference: str, as_json: bool) -> int:
    """Create a product in FOLDER (which must not exist, or be empty)."""
    from nbdataops.reference_products import copy_reference

    files = copy_reference(reference, folder)
    if as_json:
        options.print_json({"product": str(folder), "from": reference, "files": [str(f) for f in files]})
    else:
        click.echo(f"{folder}: {len(files)} files from {reference}")
        click.echo(f"  next: nbdataops plan --product {shlex.quote(str(folder))}")
    return 0
