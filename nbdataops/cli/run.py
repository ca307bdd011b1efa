"""`nbdataops run`: the main job."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nbdataops.cli import options

if TYPE_CHECKING:
    from nbdataops.verbs import RunReport


@click.command("run")
@options.product
@options.as_of
@options.jobs
@options.keep_going
@options.parameters
@options.force
@options.as_json
def command(
    root: Path,
    as_of: date | None,
    jobs: int | None,
    keep_going: bool,
    parameters: tuple[tuple[str, str], ...],
    force: tuple[str, ...],
    as_json: bool,
) -> int:
    """Observe, plan, execute, judge, report, candidate: only what changed is executed.

    Exit code 0 when everything ran, whatever the gate decided (`release` tells that by its exit code).
    """
    from nbdataops.cli.progress import progress
    from nbdataops.cli.summary import run_summary
    from nbdataops.cli.unchanged import counting
    from nbdataops.second_look import leave_witness
    from nbdataops.workspace import Options, open_product

    product = open_product(root)
    settings = Options(
        as_of=as_of,
        jobs=jobs,
        parameters=options.parsed(parameters),
        force=frozenset(force),
        keep_going=keep_going,
    )
    with progress() as listener:
        report = product.run(settings, listener=listener)
    if as_json:
        options.print_json(report.to_dict())
    else:
        run_summary(report)
    counts = counting(as_of.isoformat() if as_of else None, [list(pair) for pair in parameters])
    leave_witness(product, settings, report, counts, _said)
    return int(report.exit_code)


def _said(report: RunReport) -> tuple[str, str]:
    from nbdataops.cli.summary import run_lines

    return "".join(f"{line}\n" for line in run_lines(report)), options.json_line(report.to_dict())
