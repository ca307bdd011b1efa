"""`nbdataops build`: stages only."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from nbdataops.cli import options


@click.command("build")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@options.product
@options.as_of
@click.option("--horizon", type=click.IntRange(1), default=None, help="Instead of the contract's horizon.")
@options.jobs
@options.keep_going
@options.parameters
@options.force
@options.as_json
def command(
    stages: tuple[str, ...],
    root: Path,
    as_of: date | None,
    horizon: int | None,
    jobs: int | None,
    keep_going: bool,
    parameters: tuple[tuple[str, str], ...],
    force: tuple[str, ...],
    as_json: bool,
) -> int:
    """Execute STAGEs and what they need (default: all) at one as_of, without backtests, checks and report."""
    from nbdataops.cli.progress import progress
    from nbdataops.cli.summary import build_summary
    from nbdataops.workspace import Options, open_product

    product = open_product(root)
    settings = Options(
        as_of=as_of,
        jobs=jobs,
        parameters=options.parsed(parameters),
        force=frozenset(force),
        horizon=horizon,
        keep_going=keep_going,
    )
    with progress() as listener:
        report = product.build(stages, settings, listener=listener)
    if as_json:
        options.print_json(report.to_dict())
    else:
        build_summary(report)
    return int(report.exit_code)
