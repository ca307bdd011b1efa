"""A kernel that is started and thrown away, to find out what starting and using one imports.

Libraries import parts of themselves when these are first needed: a traceback's colours, a frame's HTML, the
conversion to Arrow. The throw-away child does such things once and tells the names; the server imports them. The
server itself never computes: a pool of threads that has worked does not survive a fork.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from typing import Any

LONGEST_S = 120
CELLS = {
    "IPython": ("x = 1\nx", "1/0", "%who"),
    "pandas": (
        "import pandas as pd\nf = pd.DataFrame({'a': [1.5, 2.5], 'b': ['x', 'y']})\nf",
        "f.describe()",
    ),
    "pyarrow": (
        "import io, pyarrow as pa, pyarrow.parquet as pq\nto = io.BytesIO()\npq.write_table(pa.table({'a': [1]}), to)",
        "pq.read_table(io.BytesIO(to.getvalue()))",
        "pa.Table.from_pandas(f).to_pandas()\nto = io.BytesIO(); f.to_parquet(to); pd.read_parquet(to)",
    ),
    "sklearn.linear_model": (
        "from sklearn.linear_model import LinearRegression\nLinearRegression().fit(f[['a']], f['a'])",
    ),
    "matplotlib.pyplot": ("import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",),
    "duckdb": ("import duckdb\nduckdb.sql('select 1 as a').df()",),
}
"""Cells run after a module of that name was preloaded. One that fails, fails: only what it imported counts."""


def rehearse() -> tuple[str, ...]:
    """Names of the modules that a kernel of this process would import, in order. Empty when it takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.close(reading)
            _perform(writing)
        os._exit(0)
    os.close(writing)
    try:
        said = _read(reading, time.monotonic() + LONGEST_S)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    names = said.decode().split("\n") if said.endswith(b"\n") else []
    return tuple(name for name in names if name and not name.startswith(("__main__", "nbdataops")))


def _perform(report: int) -> None:
    """In the child: start a kernel, run the cells, write the names that came into `sys.modules`."""
    os.setsid()
    folder = tempfile.mkdtemp(prefix="nbd-")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    before = set(sys.modules)
    begun = _Begun()
    sys.meta_path.insert(0, begun)
    os.environ["IPYTHONDIR"] = folder  # not the user's: a startup file must not run twice
    os.chdir(folder)
    try:
        from ipykernel.kernelapp import IPKernelApp

        app: Any = IPKernelApp.instance()
        app.parent_handle = 1
        app.initialize(
            [
                f"--IPKernelApp.connection_file={folder}/kernel.json",
                "--IPKernelApp.transport=ipc",
                f"--IPKernelApp.ip={folder}/k",
                "--HistoryManager.hist_file=:memory:",
                "--IPKernelApp.log_level=50",
            ]
        )
        for module, cells in CELLS.items():
            if module in before or module == "IPython":
                for cell in cells:
                    app.shell.run_cell(cell)
        # In the order in which the imports began: a compiled module comes into `sys.modules` when it is complete, and
        # some find out less when their parts are imported first (pyarrow, whether it can encrypt).
        fresh = [
            n for n in dict.fromkeys([*begun.names, *sys.modules]) if n in sys.modules and n not in before
        ]
        with os.fdopen(report, "w") as told:
            told.write("\n".join(fresh) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Begun:
    """A finder that finds nothing, and notes for what it was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        self.names.append(name)


def _read(descriptor: int, deadline: float) -> bytes:
    said = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            piece = os.read(descriptor, 65536)
            if not piece:
                return said
            said += piece
    return b""
