"""`nbdataops plan`: what would run, and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from nbdataops.cli import options


@click.command("plan")
@options.product
@options.as_of
@options.parameters
@options.force
@options.as_json
@click.option("--all", "show_all", is_flag=True, help="Also list every node that is reused.")
def command(
    root: Path,
    as_of: date | None,
    parameters: tuple[tuple[str, str], ...],
    force: tuple[str, ...],
    as_json: bool,
    show_all: bool,
) -> int:
    """Show every node as run, maybe, reuse or skip, with all reasons and what it cost last time."""
    from nbdataops.cli.summary import plan_summary
    from nbdataops.workspace import Options, open_product

    product = open_product(root)
    plan = product.plan(Options(as_of=as_of, parameters=options.parsed(parameters), force=frozenset(force)))
    if as_json:
        options.print_json(plan.to_dict())
    else:
        plan_summary(plan, show_all=show_all)
    return 0
