"""`nbdataops status`: the last runs, from the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from nbdataops.cli import options


@click.command("status")
@options.product
@options.as_json
@click.option("--run", "run_id", default=None, help="Show the nodes of this run; default: the last one.")
@click.option("--limit", type=click.IntRange(1), default=5, help="How many runs to list.")
def command(root: Path, as_json: bool, run_id: str | None, limit: int) -> int:
    """List the last runs with their states, and the nodes of one of them with their errors."""
    from nbdataops.cli.summary import status_summary
    from nbdataops.workspace import open_product

    status = open_product(root).status(run_id, limit)
    if as_json:
        options.print_json(status.to_dict())
    else:
        status_summary(status)
    return 0
