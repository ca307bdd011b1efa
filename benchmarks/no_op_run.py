"""Claim: with nothing to do no notebook is executed; what is left to do is shown as a multiple of starting Python.

The blank product is built once with real kernels (this takes longer than the measurement). Then `nbdataops plan`
reads the declaration, sources and notebooks and finds every node in its store; `nbdataops run` does the same, judges
the study and writes the report. The floor is `python -c pass` of the same interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.comparison import Comparison, compare, script
from nbdataops.reference_products import copy_reference

ROUNDS = 5


def python(*arguments: str) -> str:
    """Standard output of this interpreter with arguments."""
    environment = {k: v for k, v in os.environ.items() if k != "NBDATAOPS_STORE"}
    done = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


def measure(rounds: int) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "product"
        copy_reference("blank", root)

        def nbdataops(verb: str) -> str:
            return python("-m", "nbdataops", verb, "--product", str(root), "--json")

        nbdataops("run")
        waiting = {stage["action"] for stage in json.loads(nbdataops("plan"))["stages"]} & {"run", "maybe"}
        if waiting:
            raise SystemExit(f"the product is built, and yet nodes are to {waiting}")
        return [
            compare(
                f"nbdataops {verb}, nothing to do",
                lambda number, verb=verb: nbdataops(verb),  # type: ignore[misc]
                "python -c pass",
                lambda number: python("-c", "pass"),
                rounds,
            )
            for verb in ("plan", "run")
        ]


def main() -> None:
    script(measure, ROUNDS, __doc__)


if __name__ == "__main__":
    main()
