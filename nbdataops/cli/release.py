"""`nbdataops release`: hold the candidate against the gate."""

from __future__ import annotations

from pathlib import Path

import click

from nbdataops.cli import options


@click.command("release")
@options.product
@options.as_json
def command(root: Path, as_json: bool) -> int:
    """Accept the last candidate as a release, or refuse it (exit code 3) with every reason."""
    from nbdataops.cli.summary import release_summary
    from nbdataops.workspace import open_product

    released = open_product(root).release()
    if as_json:
        options.print_json(released.to_dict())
    else:
        release_summary(released)
    return int(released.exit_code)
