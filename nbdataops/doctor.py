"""Examine a machine and a product: what is needed, what is there, what to do."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from nbdataops.errors import ExitCode, NbdataopsError
from nbdataops.finding import Finding

NEEDED = (
    "papermill",
    "nbclient",
    "nbformat",
    "ipykernel",
    "pandas",
    "pyarrow",
    "duckdb",
    "scikit-learn",
    "anywidget",
)
MIN_FREE_BYTES = 1_000_000_000


def examine(root: Path) -> tuple[Finding, ...]:
    """All findings, the machine's first. Executes no notebook and changes nothing but an empty store."""
    return (*_machine(), *_product(root))


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding(
        "python", sys.version_info >= (3, 11), f"{version} at {sys.executable}", "use Python 3.11 or newer"
    )
    for name in NEEDED:
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", f"pip install {name}")
    yield _try("kernel", _kernel, ExitCode.INFRASTRUCTURE)


def _kernel() -> str:
    import subprocess

    command = [sys.executable, "-c", "import ipykernel_launcher, ipykernel; print(ipykernel.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise NbdataopsError(
            "ipykernel does not start with this Python", todo="pip install --force-reinstall ipykernel"
        )
    return f"ipykernel {done.stdout.strip()} with this Python"


def _product(root: Path) -> Iterator[Finding]:
    from nbdataops.workspace import open_product

    try:
        product = open_product(root)
        spec = product.spec
    except NbdataopsError as error:
        yield Finding("product", False, str(error), error.todo, error.exit_code)
        return
    yield Finding("product", True, f"{spec.product} at {product.root}")

    def notebooks() -> str:
        from nbdataops.build.world import declare

        declared = declare(spec)
        return f"{len(declared.graph.stages)} stages, {len(declared.ignored)} files ignored"

    def store() -> str:
        product.writable_store()
        runs = len(product.journal.runs(1))
        return f"{product.store.root}, ledger readable, {'runs are recorded' if runs else 'no runs yet'}"

    yield _try("notebooks", notebooks, ExitCode.USAGE)
    yield _try("store", store, ExitCode.INFRASTRUCTURE)
    free = shutil.disk_usage(product.root).free
    yield Finding("disk", free >= MIN_FREE_BYTES, f"{free / 1e9:.1f} GB free", "free at least 1 GB")


def _try(name: str, examine: Callable[[], str], code: ExitCode) -> Finding:
    try:
        return Finding(name, True, examine())
    except NbdataopsError as error:
        return Finding(name, False, str(error), error.todo, error.exit_code)
    except Exception as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", "", code)
