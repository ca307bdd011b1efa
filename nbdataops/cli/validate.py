"""`nbdataops validate`: backtest, compare, judge."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from nbdataops.cli import options


@click.command("validate")
@options.product
@options.as_of
@options.jobs
@options.keep_going
@options.as_json
def command(root: Path, as_of: date | None, jobs: int | None, keep_going: bool, as_json: bool) -> int:
    """Run the methods at past origins, compare them, and judge.

    Exit code 3 when the study's label is below what the release policy requires.
    """
    from nbdataops.cli.progress import progress
    from nbdataops.cli.summary import study_summary
    from nbdataops.workspace import Options, open_product

    product = open_product(root)
    with progress() as listener:
        report = product.validate(Options(as_of=as_of, jobs=jobs, keep_going=keep_going), listener=listener)
    if as_json:
        options.print_json(report.to_dict())
    else:
        study_summary(report)
    return int(report.exit_code)
