"""Claim: with nothing to do, `nbdataops run` of a product of 100 stages costs at most 8 times `python -c pass`.

The product is the blank one with a chain of 96 more notebooks, each of which writes a table. It is built by a fake
kernel in this process, which leaves the same store as real ones, and then run once by the command, which leaves its
witness. The program lies in an environment of its own as a wheel installs it, since an editable install makes every
start of Python slower, and so `python -c pass` too. `nbdataops plan`, which looks at everything, is shown beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.comparison import Comparison, compare, script
from benchmarks.installed_copy import install
from nbdataops.build.executors.fake import FakeKernel
from nbdataops.reference_products import copy_reference
from nbdataops.store.witness import read_witness
from nbdataops.workspace import open_product

ROUNDS = 15
STAGES = 100
ASKED = 8


@contextmanager
def product(folder: Path) -> Iterator[Path]:
    """A product of 100 stages, everything built."""
    root = folder / "product"
    copy_reference("blank", root)
    have = len(list(root.rglob("*.ipynb")))
    before = "customers"
    for number in range(STAGES - have):
        table = f"chain{number:02}"
        read = f'from nbdataops import stage\nframe = stage.read("{before}")'
        _notebook(
            root / "chain" / f"{table}.ipynb", [read, f'stage.write("{table}", frame, key="customer_id")']
        )
        before = table
    opened = open_product(root)
    opened.executor = FakeKernel()
    report = opened.run()
    opened.close()
    if report.execution.failures:
        raise SystemExit(f"the product cannot be built: {report.execution.failures[0].error}")
    yield root


def _notebook(path: Path, cells: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    made = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "source": text,
            "execution_count": None,
            "outputs": [],
        }
        for n, text in enumerate(cells)
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content, indent=1) + "\n")


def measure(rounds: int) -> list[Comparison]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NBDATAOPS_", "PYTHON"))}
    with tempfile.TemporaryDirectory() as name, product(Path(name)) as root:
        bin_ = install(Path(name))

        def call(program: str, *arguments: str) -> str:
            done = subprocess.run(
                [str(bin_ / program), *arguments], check=True, capture_output=True, text=True, env=environment
            )
            return done.stdout

        def nbdataops_(verb: str) -> str:
            return call("nbdataops", verb, "--product", str(root), "--json")

        shown = json.loads(nbdataops_("run"))
        executed = {s["stage"] for s in shown["stages"] if s["action"] == "run"}
        witness = read_witness(str(root / ".nbdataops"))
        if executed or witness is None or json.loads(nbdataops_("run"))["run"] != shown["run"]:
            raise SystemExit(f"there is something left to do: {executed or 'no witness holds'}")
        stages = len({s["stage"] for s in shown["stages"] if s["kind"] == "stage"})
        files = sum(map(len, witness.stamps.values()))
        pass_ = ("python -c pass", lambda number: call("python", "-c", "pass"))
        about = f"{stages} stages, {files} files, nothing to do"
        run = compare(f"nbdataops run, {about}", lambda number: nbdataops_("run"), *pass_, rounds)
        plan = compare(
            f"nbdataops plan, {about}", lambda number: nbdataops_("plan"), *pass_, max(7, rounds // 2)
        )
        return [replace(run, asked=ASKED), plan]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
