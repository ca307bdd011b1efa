"""`nbdataops papermill`: papermill's own command line, with what is warm as the default."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import click

from nbdataops.build.engine_entry import Engine

NAME = "nbdataops"
"""Of the kernelspec, and of the engine."""
ANY_PYTHON = frozenset({None, "", "python3", "python"})
"""Kernels that a notebook names when it means no particular one."""


@click.command(
    "papermill",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PAPERMILL'S ARGUMENTS]...")
def command(arguments: tuple[str, ...]) -> int:
    """Execute one notebook by papermill: exactly its command line, exit codes included.

    Unless others are named, the engine is nbdataops, and a notebook that asks for no particular Python kernel gets the
    kernel nbdataops.
    """
    from papermill.cli import papermill
    from papermill.engines import papermill_engines

    papermill_engines.register(NAME, _WarmByDefault)
    try:
        papermill.main(list(arguments), prog_name="nbdataops papermill", default_map={"engine": NAME})
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        click.echo(end.code, err=True)
    except Exception as error:
        _show(error)
    return 1


class _WarmByDefault(Engine):
    """The engine `nbdataops`, which also chooses the kernel where neither the user nor the notebook has."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> Any:
        spec = nb.metadata.get("kernelspec", {})
        language = spec.get("language") or nb.metadata.get("language_info", {}).get("name") or "python"
        if name is None and spec.get("name") in ANY_PYTHON and language == "python" and _is_installed():
            return NAME
        return super().nb_kernel_name(nb, name)


def _is_installed() -> bool:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        KernelSpecManager().get_kernel_spec(NAME)
    except NoSuchKernel:
        click.echo(
            "the kernelspec nbdataops is not installed, so this kernel starts cold: nbdataops kernel install",
            err=True,
        )
        return False
    return True


def _show(error: Exception) -> None:
    """The traceback as papermill's own program shows it, from the point where papermill was called."""
    trace = error.__traceback__
    here = trace.tb_frame.f_code.co_filename if trace is not None else ""
    while trace is not None and trace.tb_frame.f_code.co_filename == here:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace, file=sys.stderr)
