"""`nbdataops doctor`: is this machine, and this product, fit to run?"""

from __future__ import annotations

from pathlib import Path

import click

from nbdataops.cli import options
from nbdataops.errors import ExitCode


@click.command("doctor")
@options.product
@options.as_json
def command(root: Path, as_json: bool) -> int:
    """Check Python, packages, kernel, store and the product's files.

    Exit code 2 when the product is broken, 5 when the machine is.
    """
    from nbdataops.doctor import examine

    findings = examine(root)
    if as_json:
        options.print_json({"ok": all(f.ok for f in findings), "checks": [f.to_dict() for f in findings]})
    else:
        for finding in findings:
            mark = click.style("ok  ", fg="green") if finding.ok else click.style("FAIL", fg="red", bold=True)
            click.echo(f"{mark} {finding.name}: {finding.what}")
            if not finding.ok and finding.todo:
                click.echo(f"     {finding.todo}")
    return int(max((f.exit_code for f in findings if not f.ok), default=ExitCode.OK))
