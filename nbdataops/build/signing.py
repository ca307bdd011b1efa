"""Sign executed notebooks for the local user, so that JupyterLab trusts and renders their widgets."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any


def sign(path: Path) -> None:
    """Mark a notebook as trusted for the person who runs this. Without a Jupyter data folder nothing happens."""
    import nbformat
    from jupyter_core.paths import jupyter_data_dir
    from nbformat.sign import NotebookNotary

    notary_of: Any = NotebookNotary
    # A home that cannot be written must not fail a run whose work is done.
    with contextlib.suppress(OSError, ValueError, sqlite3.Error):
        notary = notary_of(data_dir=_configured(jupyter_data_dir()))
        notary.sign(nbformat.read(str(path), as_version=4))


@cache
def _configured(data_dir: str) -> str:
    """Jupyter's data folder as its configuration has it. To find out takes an application, and longer than to sign."""
    from nbformat.sign import NotebookNotary

    notary_of: Any = NotebookNotary
    return str(notary_of().data_dir)
